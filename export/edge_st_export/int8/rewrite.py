"""Write fitted products into an ONNX graph, in the form that each engine turns into integer arithmetic."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from .fit import Fit, QuantizedWeight
from .matmuls import Product
from .tensors import drop_unread

_CONTRIB = "com.microsoft"
INTEGER_PRODUCT = "MatMulIntegerToFloat"


def rewrite(model: Any, fits: Iterable[Fit], engine: str) -> Any:
    """A copy of the onnx.ModelProto ``model`` with the groups of ``fits`` in int8; weights in files stay there.

    For "onnx" a product is one node that multiplies bytes and gives float32 with the bias added; for "openvino" it is
    written with QuantizeLinear and DequantizeLinear, which OpenVINO folds into its own.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    writer = _Writer(changed, {"onnx": _integer_product, "openvino": _dequantized_product}[engine])
    for fit in fits:
        writer.take(fit)
    writer.finish()
    return changed


class _Writer:
    """Collects the nodes that take the place of others."""

    def __init__(self, model: Any, multiply: Callable[..., list[Any]]) -> None:
        self.model, self.multiply = model, multiply
        self.before: dict[str, list[Any]] = {}
        self.gone: set[str] = set()
        self.known: set[str] = set()

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """The name of a constant, which is written once."""
        if name not in self.known:
            self.known.add(name)
            self.model.graph.initializer.append(numpy_helper.from_array(values.copy(), name))
        return name

    def take(self, fit: Fit) -> None:
        """Put the products of ``fit`` where they were."""
        quantized: dict[str, str] = {}
        for product, weight in zip(fit.group.products, fit.weights, strict=True):
            first, *others = product.nodes
            nodes = self.before.setdefault(first.output[0], [])
            if product.input not in quantized:
                quantized[product.input] = f"{product.input}_int8"
                nodes += self.quantize(fit, product.input, quantized[product.input])
            nodes += self.product(fit, product, weight, quantized[product.input])
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

    def product(self, fit: Fit, product: Product, weight: QuantizedWeight, quantized: str) -> list[Any]:
        if not len(fit.outliers):
            return self.multiply(self, fit, product, weight, quantized, product.output)
        name, kept = product.output, product.weight[fit.outliers]
        parts = [f"{name}_of_bytes", f"{name}_outliers", f"{name}_of_outliers"]
        chosen = self.constant(f"{fit.group.name}_channels", fit.outliers)
        return [
            *self.multiply(self, fit, product, weight, quantized, parts[0]),
            helper.make_node("Gather", [product.input, chosen], [parts[1]], axis=-1),
            helper.make_node("MatMul", [parts[1], self.constant(f"{product.weight_name}_outliers", kept)], [parts[2]]),
            helper.make_node("Add", [parts[0], parts[2]], [name]),
        ]

    def finish(self) -> None:
        """Take the new nodes in, and out what nothing reads any more."""
        graph = self.model.graph
        if self.multiply is _integer_product and all(opset.domain != _CONTRIB for opset in self.model.opset_import):
            self.model.opset_import.append(helper.make_opsetid(_CONTRIB, 1))
        nodes = []
        for node in graph.node:
            nodes += self.before.get(node.output[0], [])
            if node.output[0] not in self.gone:
                nodes.append(node)
        del graph.node[:]
        graph.node.extend(nodes)
        drop_unread(graph)


def _integer_product(
    writer: _Writer, fit: Fit, product: Product, weight: QuantizedWeight, quantized: str, output: str
) -> list[Any]:
    name = product.weight_name
    scale, zero_point = writer.scale(fit)
    inputs = [
        quantized,
        writer.constant(f"{name}_int8", weight.values),
        scale,
        writer.constant(f"{name}_scales", weight.scales),
        zero_point,
        "",
        writer.constant(f"{product.output}_bias", weight.bias),
    ]
    return [helper.make_node(INTEGER_PRODUCT, inputs, [output], domain=_CONTRIB)]


def _dequantized_product(
    writer: _Writer, fit: Fit, product: Product, weight: QuantizedWeight, quantized: str, output: str
) -> list[Any]:
    name = product.weight_name
    values = [writer.constant(f"{name}_int8", weight.values), writer.constant(f"{name}_scales", weight.scales)]
    floats, weights, sum_ = f"{output}_input", f"{output}_weight", f"{output}_product"
    return [
        helper.make_node("DequantizeLinear", [quantized, *writer.scale(fit)], [floats]),
        helper.make_node("DequantizeLinear", values, [weights], axis=1),
        helper.make_node("MatMul", [floats, weights], [sum_]),
        helper.make_node("Add", [sum_, writer.constant(f"{product.output}_bias", weight.bias)], [output]),
    ]
