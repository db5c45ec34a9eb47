"""A tiny transformer: real ONNX graphs, and the same in NumPy for one text without padding.

Every token's vector depends on all the text's tokens, so vectors change where a mask, a position or a neighbour is
handled wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HIDDEN = 12
_generator = np.random.default_rng(7)
_TABLES = {
    "words": _generator.standard_normal((500, HIDDEN)).astype(np.float32),
    "types": _generator.standard_normal((2, HIDDEN)).astype(np.float32),
    "positions": _generator.standard_normal((2000, HIDDEN)).astype(np.float32),
    "mix": _generator.standard_normal((HIDDEN, HIDDEN)).astype(np.float32),
}
_LOOKUPS = {"input_ids": "words", "token_type_ids": "types", "position_ids": "positions"}


@dataclass(frozen=True)
class TinyGraph:
    """What a graph is called and asks for.

    ``outputs`` maps names to "tokens" (rank 3), or "mean", "first", "last" (rank 2). ``own_positions`` is the number of
    positions of a graph that counts them by itself, 0 for one without.
    """

    inputs: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids")
    outputs: Mapping[str, str] = field(default_factory=lambda: {"last_hidden_state": "tokens"})
    dtype: int = TensorProto.INT64
    own_positions: int = 0

    def tokens(self, ids: Sequence[int], type_ids: Sequence[int] | None = None) -> NDArray[np.float32]:
        """The token embeddings (tokens, hidden) of one text."""
        given = {
            "input_ids": list(ids),
            "token_type_ids": type_ids or [0] * len(ids),
            "position_ids": list(range(len(ids))),
        }
        looked_up = [_TABLES[table][given[name]] for name, table in _LOOKUPS.items() if name in self.inputs]
        if self.own_positions:
            looked_up.append(_TABLES["positions"][: len(ids)])
        embedded = np.sum(looked_up, axis=0)
        return np.tanh((embedded + 2 * embedded.mean(axis=0)) @ _TABLES["mix"] / np.sqrt(HIDDEN)).astype(np.float32)

    def save(self, path: Path) -> Path:
        """Write the graph as an ONNX file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(self._model(), str(path))
        return path

    def _model(self) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info(name, self.dtype, ["batch", "tokens"]) for name in self.inputs]
        axes = {kind: ["batch", "tokens"] if kind == "tokens" else ["batch"] for kind in self.outputs.values()}
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [*axes[kind], HIDDEN])
            for name, kind in self.outputs.items()
        ]
        names = {kind: name for name, kind in self.outputs.items()}
        constants = _constants(self.own_positions)
        graph = helper.make_graph(self._nodes(names), "tiny", inputs, outputs, constants)
        opset = helper.make_opsetid("", 17)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8)

    def _nodes(self, names: Mapping[str, str]) -> list[onnx.NodeProto]:
        node = helper.make_node
        lookups = [name for name in _LOOKUPS if name in self.inputs]
        nodes = [node("Gather", [_LOOKUPS[name], name], [f"{name}_vectors"]) for name in lookups]
        vectors = [f"{name}_vectors" for name in lookups]
        if self.own_positions:
            nodes += _own_positions()
            vectors.append("position_vectors")
        tokens = names.get("tokens", "tokens")
        return [
            *nodes,
            node("Sum", vectors, ["embedded"]),
            node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            node("Unsqueeze", ["mask", "last_axis"], ["weights"]),
            node("ReduceSum", ["weights", "token_axis"], ["count"], keepdims=1),
            node("Mul", ["embedded", "weights"], ["own"]),
            node("ReduceSum", ["own", "token_axis"], ["sum"], keepdims=1),
            node("Div", ["sum", "count"], ["average"]),
            node("Mul", ["average", "two"], ["context"]),
            node("Add", ["embedded", "context"], ["seen"]),
            node("MatMul", ["seen", "scaled_mix"], ["mixed"]),
            node("Tanh", ["mixed"], [tokens]),
            *(_mean(tokens, names["mean"]) if "mean" in names else []),
            *([node("Gather", [tokens, "zero"], [names["first"]], axis=1)] if "first" in names else []),
            *([node("Gather", [tokens, "minus_one"], [names["last"]], axis=1)] if "last" in names else []),
        ]


def store_outside(path: Path, name: str) -> Path:
    """Move the weights of the ONNX file at ``path`` to a file beside it, and return that file."""
    model = onnx.load(str(path))
    onnx.save(model, str(path), save_as_external_data=True, location=name, size_threshold=256)
    return path.with_name(name)


def _own_positions() -> list[onnx.NodeProto]:
    """As exported models have it: the first rows of a buffer, as many as there are tokens."""
    node = helper.make_node
    return [
        node("Shape", ["input_ids"], ["length"], start=1, end=2),
        node("Slice", ["own_positions", "from_zero", "length"], ["position_vectors"]),
    ]


def _mean(tokens: str, output: str) -> list[onnx.NodeProto]:
    node = helper.make_node
    return [
        node("Mul", [tokens, "weights"], ["own_tokens"]),
        node("ReduceSum", ["own_tokens", "token_axis"], ["tokens_sum"], keepdims=0),
        node("Squeeze", ["count", "last_axis"], ["tokens_count"]),
        node("Div", ["tokens_sum", "tokens_count"], [output]),
    ]


def _constants(own_positions: int) -> list[onnx.TensorProto]:
    values: dict[str, NDArray[Any]] = {
        **_TABLES,
        "scaled_mix": (_TABLES["mix"] / np.sqrt(HIDDEN)).astype(np.float32),
        "two": np.array(2, dtype=np.float32),
        "own_positions": _TABLES["positions"][:own_positions],
        "zero": np.array(0, dtype=np.int64),
        "minus_one": np.array(-1, dtype=np.int64),
        "from_zero": np.array([0], dtype=np.int64),
        "token_axis": np.array([1], dtype=np.int64),
        "last_axis": np.array([-1], dtype=np.int64),
    }
    return [numpy_helper.from_array(value, name) for name, value in values.items()]
