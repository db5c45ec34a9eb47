"""Rewrite matrix multiplications of an ONNX graph to int8, in the form that each engine computes with integers."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ..graph.tensors import drop_unread
from .fit import Fit, QuantizedWeight
from .matmuls import MatMul

_CONTRIB = "com.microsoft"
INTEGER_MATMUL = "MatMulIntegerToFloat"


def rewrite(model: Any, fits: Iterable[Fit], engine: str) -> Any:
    """A copy of the onnx.ModelProto ``model`` with the groups of ``fits`` in int8; weights in files stay there.

    For "onnx" a matrix multiplication becomes one node, which multiplies bytes, adds the bias and gives float32. For
    "openvino" it is written with QuantizeLinear and DequantizeLinear, which OpenVINO folds into its own operator.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    writer = _Writer(changed, {"onnx": _integer_matmul, "openvino": _dequantized_matmul}[engine])
    for fit in fits:
        writer.replace(fit)
    writer.finish()
    return changed


class _Writer:
    """Collects new nodes, and the nodes that they replace."""

    def __init__(self, model: Any, multiply: Callable[..., list[Any]]) -> None:
        self.model, self.multiply = model, multiply
        self.before: dict[str, list[Any]] = {}
        self.gone: set[str] = set()
        self.known: set[str] = set()

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant, unless it is there already; returns its name."""
        if name not in self.known:
            self.known.add(name)
            self.model.graph.initializer.append(numpy_helper.from_array(values.copy(), name))
        return name

    def replace(self, fit: Fit) -> None:
        """Replace the matrix multiplications of ``fit``."""
        quantized: dict[str, str] = {}
        for matmul, weight in zip(fit.group.matmuls, fit.weights, strict=True):
            first, *others = matmul.nodes
            nodes = self.before.setdefault(first.output[0], [])
            if matmul.input not in quantized:
                quantized[matmul.input] = f"{matmul.input}_int8"
                nodes += self.quantize(fit, matmul.input, quantized[matmul.input])
            nodes += self.matmul(fit, matmul, weight, quantized[matmul.input])
            self.gone.update(node.output[0] for node in (first, *others))

    def quantize(self, fit: Fit, name: str, quantized: str) -> list[Any]:
        nodes = []
        if fit.factors is not None:
            scaled = f"{name}_scaled"
            nodes.append(
                helper.make_node("Mul", [name, self.constant(f"{fit.group.name}_factors", fit.factors)], [scaled])
            )
            name = scaled
        return [*nodes, helper.make_node("QuantizeLinear", [name, *self.scale(fit)], [quantized])]

    def scale(self, fit: Fit) -> list[str]:
        """The names of the input's scale and zero point."""
        return [
            self.constant(f"{fit.group.name}_scale", np.array(fit.scale, dtype=np.float32)),
            self.constant(f"{fit.group.name}_zero_point", np.array(fit.zero_point, dtype=np.uint8)),
        ]

    def matmul(self, fit: Fit, matmul: MatMul, weight: QuantizedWeight, quantized: str) -> list[Any]:
        if not len(fit.outliers):
            return self.multiply(self, fit, matmul, weight, quantized, matmul.output)
        name, kept = matmul.output, matmul.weight[fit.outliers]
        parts = [f"{name}_of_bytes", f"{name}_outliers", f"{name}_of_outliers"]
        chosen = self.constant(f"{fit.group.name}_channels", fit.outliers)
        return [
            *self.multiply(self, fit, matmul, weight, quantized, parts[0]),
            helper.make_node("Gather", [matmul.input, chosen], [parts[1]], axis=-1),
            helper.make_node("MatMul", [parts[1], self.constant(f"{matmul.weight_name}_outliers", kept)], [parts[2]]),
            helper.make_node("Add", [parts[0], parts[2]], [name]),
        ]

    def finish(self) -> None:
        """Put the new nodes into the graph, and remove the replaced ones and constants that nothing reads any more."""
        graph = self.model.graph
        if self.multiply is _integer_matmul and all(opset.domain != _CONTRIB for opset in self.model.opset_import):
            self.model.opset_import.append(helper.make_opsetid(_CONTRIB, 1))
        nodes = []
        for node in graph.node:
            nodes += self.before.get(node.output[0], [])
            if node.output[0] not in self.gone:
                nodes.append(node)
        del graph.node[:]
        graph.node.extend(nodes)
        drop_unread(graph)


def _integer_matmul(
    writer: _Writer, fit: Fit, matmul: MatMul, weight: QuantizedWeight, quantized: str, output: str
) -> list[Any]:
    name = matmul.weight_name
    scale, zero_point = writer.scale(fit)
    inputs = [
        quantized,
        writer.constant(f"{name}_int8", weight.values),
        scale,
        writer.constant(f"{name}_scales", weight.scales),
        zero_point,
        "",
        writer.constant(f"{matmul.output}_bias", weight.bias),
    ]
    return [helper.make_node(INTEGER_MATMUL, inputs, [output], domain=_CONTRIB)]


def _dequantized_matmul(
    writer: _Writer, fit: Fit, matmul: MatMul, weight: QuantizedWeight, quantized: str, output: str
) -> list[Any]:
    name = matmul.weight_name
    values = [writer.constant(f"{name}_int8", weight.values), writer.constant(f"{name}_scales", weight.scales)]
    floats, weights, sum_ = f"{output}_input", f"{output}_weight", f"{output}_product"
    return [
        helper.make_node("DequantizeLinear", [quantized, *writer.scale(fit)], [floats]),
        helper.make_node("DequantizeLinear", values, [weights], axis=1),
        helper.make_node("MatMul", [floats, weights], [sum_]),
        helper.make_node("Add", [sum_, writer.constant(f"{matmul.output}_bias", weight.bias)], [output]),
    ]
