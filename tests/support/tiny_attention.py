"""ONNX graphs of one attention over words, in the forms that exporters give it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HEADS, SIZE, LONGEST = 4, 8, 900
WIDTH = HEADS * SIZE
WORDS = 50
Nodes = Sequence[onnx.NodeProto]
node = helper.make_node
_random = np.random.default_rng(3)
_DISTANCES = np.abs(np.subtract.outer(np.arange(LONGEST), np.arange(LONGEST)))
_NUMBERS = {"1.0": 1, "2.0": 2, "0.0": 0, "least": -3e38}
_INTEGERS = {
    "[0]": [0], "[1]": [1], "[2]": [2], "[0, 0]": [0, 0], "[-2, -1]": [-2, -1], "[1, 1, 1]": [1, 1, 1],
    "split": [0, 0, HEADS, SIZE], "joined": [0, 0, WIDTH], "[-1]": [-1], "[size]": [SIZE],
    "heads": [1, HEADS, -1, SIZE], "groups": [1, 2, 2, -1, SIZE],
    "shared_keys": [1, 2, 1, SIZE, -1], "shared_vectors": [1, 2, 1, -1, SIZE],
}  # fmt: skip
_TENSORS: Mapping[str, NDArray[Any]] = {
    "words": _random.standard_normal((WORDS, WIDTH)).astype(np.float32),
    "project": _random.standard_normal((WIDTH, 3 * WIDTH)).astype(np.float32) / 4,
    "table_of_heads": _random.standard_normal((1, HEADS, LONGEST, LONGEST)).astype(np.float32),
    "table_of_all": _random.standard_normal((LONGEST, LONGEST)).astype(np.float32),
    "table_near": _DISTANCES < 40,
    **{name: np.array(value, dtype=np.float32) for name, value in _NUMBERS.items()},
    **{name: np.array(value, dtype=np.int64) for name, value in _INTEGERS.items()},
}


def rows(table: str) -> onnx.NodeProto:
    """The part of "table_…" that a text of this length needs: (tokens, tokens), or (1, heads, tokens, tokens)."""
    return node("Slice", [f"table_{table}", "[0, 0]", "ends", "[-2, -1]"], [table])


def save(path: Path, attention: Nodes, outputs: Sequence[str] = ("last_hidden_state",), opset: int = 12) -> Path:
    """Write a graph whose nodes ``attention`` give "mixed" from "queries", "keys", "vectors" and "mask".

    These are (1, heads, tokens, size), "keys" transposed, and (1, 1, 1, tokens) with -3e38 where the mask is 0. "seen"
    is the mask as truth values, "ends" the number of tokens, twice, and "matrices" the shape (-1, tokens, size).
    """
    nodes = [*_before(), *attention, *_after()]
    read = {name for each in nodes for name in each.input}
    graph = helper.make_graph(
        nodes,
        "attention",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "tokens", WIDTH]) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in _TENSORS.items() if name in read],
    )
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=8), str(path))
    return path


def _before() -> Nodes:
    heads = [
        each
        for name, perm in {"queries": [0, 2, 1, 3], "keys": [0, 2, 3, 1], "vectors": [0, 2, 1, 3]}.items()
        for each in (
            node("Reshape", [f"all_{name}", "split"], [f"split_{name}"]),
            node("Transpose", [f"split_{name}"], [name], perm=perm),
        )
    ]
    return [
        node("Gather", ["words", "input_ids"], ["embedded"]),
        node("MatMul", ["embedded", "project"], ["projected"]),
        node("Split", ["projected"], ["all_queries", "all_keys", "all_vectors"], axis=2),
        *heads,
        node("Shape", ["input_ids"], ["shape"]),
        node("Slice", ["shape", "[1]", "[2]"], ["tokens"]),
        node("Concat", ["tokens", "tokens"], ["ends"], axis=0),
        node("Concat", ["[-1]", "tokens", "[size]"], ["matrices"], axis=0),
        node("Concat", ["[1, 1, 1]", "tokens"], ["mask_shape"], axis=0),
        node("Cast", ["attention_mask"], ["truths"], to=TensorProto.BOOL),
        node("Reshape", ["truths", "mask_shape"], ["seen"]),
        node("Where", ["seen", "0.0", "least"], ["mask"]),
    ]


def _after() -> Nodes:
    return [
        node("Transpose", ["mixed"], ["by_token"], perm=[0, 2, 1, 3]),
        node("Reshape", ["by_token", "joined"], ["last_hidden_state"]),
    ]
