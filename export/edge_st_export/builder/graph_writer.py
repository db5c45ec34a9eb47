"""Write an ONNX graph node by node, with its weights straight into the file beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_st.version import __version__

from .ports import Output
from .shared_rows import product, rows_of

OPSET = 18  # the newest that all supported versions of onnxruntime and openvino read
_IR_VERSION = 8  # as old as the opset
_INSIDE = 1024  # bytes; a larger tensor goes into the file beside the graph
_PAGE = 4096  # bytes; engines map weights that begin on a page, and copy others


class GraphWriter:
    """The nodes and weights of a graph of standard ONNX operators.

    ``weights`` is the open file called ``location`` beside the graph. Only one large tensor at a time is in memory.
    """

    def __init__(self, weights: BinaryIO, location: str) -> None:
        self._weights, self._location = weights, location
        self._nodes: list[Any] = []
        self._tensors: dict[str, Any] = {}

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """Add a node; returns the names of its ``outputs``."""
        name = f"{operator}_{len(self._nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{place}" for place in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return names

    def apply(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; returns its name."""
        return self.node(operator, *inputs, **attributes)[0]

    def product_of_rows(self, x: str, matrix: str, rows: range, shape: tuple[int, int]) -> str:
        """Multiply ``x`` (…, width) by some ``rows`` of the constant ``matrix``, whose ``shape`` is (rows, width).

        The matrix may be looked up, too: it is stored as it is. Returns the name of the products (…, rows).
        """
        output = f"{matrix}_from_{rows.start}"
        part = matrix if len(rows) == shape[0] else f"{output}_part"
        if part != matrix:
            self._nodes.append(rows_of(matrix, rows.start, rows.stop, part, self.integers))
        sizes = (shape[1], len(rows))
        self._nodes.extend(product(x, part, sizes, f"{output}_transposed", output, self.integers))
        return output

    def integers(self, *values: int) -> str:
        """Add a constant (len(values),) int64; returns its name."""
        return self.weight(f"int64_{'_'.join(map(str, values))}", np.array(values, dtype=np.int64))

    def number(self, value: float) -> str:
        """Add a constant () float32; returns its name."""
        return self.weight(f"float32_{value!r}", np.array(value, dtype=np.float32))

    def scalar(self, value: int) -> str:
        """Add a constant () int64; returns its name."""
        return self.weight(f"int64_scalar_{value}", np.array(value, dtype=np.int64))

    def cast(self, x: str, dtype: type[np.generic]) -> str:
        """Convert ``x`` to ``dtype``; returns the name of the result."""
        return self.apply("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def weight(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant called ``name``, unless it is there already; returns its name."""
        if name not in self._tensors:
            values = np.ascontiguousarray(values).reshape(values.shape)
            self._tensors[name] = (
                numpy_helper.from_array(values, name) if values.nbytes <= _INSIDE else self._beside(name, values)
            )
        return name

    def _beside(self, name: str, values: NDArray[Any]) -> Any:
        start = -(-self._weights.tell() // _PAGE) * _PAGE
        self._weights.seek(start)
        self._weights.write(values.astype(values.dtype.newbyteorder("<"), copy=False).data)
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        tensor = TensorProto(name=name, data_type=kind, dims=values.shape, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", self._location), ("offset", start), ("length", values.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        return tensor

    def save(self, path: Path, inputs: Sequence[str], output: Output) -> None:
        """Write the graph to ``path``: ``inputs`` (batch, tokens) int64 → ``output``.

        Raises what onnx's checker raises.
        """
        self._nodes.append(helper.make_node("Identity", [output.value], [output.name], name=output.name))
        tokens = ["batch_size", "sequence_length"]
        graph = helper.make_graph(
            self._nodes,
            "transformer",
            [helper.make_tensor_value_info(name, TensorProto.INT64, tokens) for name in inputs],
            [helper.make_tensor_value_info(output.name, TensorProto.FLOAT, [tokens[0], *output.axes])],
            list(self._tensors.values()),
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)
        model.producer_name, model.producer_version = "edge-st", __version__
        path.write_bytes(model.SerializeToString())
        onnx.checker.check_model(str(path))
