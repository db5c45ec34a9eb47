"""Attention in one operator, in whatever form a graph computes it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from edge_st_export.graph.fused_attention import fuse_attention
from edge_st_export.graph.half import clamp_masks
from edge_st_export.graph.observed import observe_floats
from tests.export.graph.token_graphs import BATCH, MASK_CONSTANTS, model_of, run
from tests.export.int8.int8_graphs import node, values


def split(name: str) -> list[Any]:
    """The heads of ``x``'s projection called ``name``."""
    return [
        node("MatMul", f"x {name}_weight", f"{name}_all"),
        node("Reshape", f"{name}_all four", f"{name}_split"),
        node("Transpose", f"{name}_split", f"{name}_heads", perm=[0, 2, 1, 3] if name != "k" else [0, 2, 3, 1]),
    ]


ENDING = [
    node("MatMul", "weights v_heads", "mixed"),
    node("Transpose", "mixed", "beside", perm=[0, 2, 1, 3]),
    node("Reshape", "beside three", "y"),
]
BIAS = [
    node("Cast", "attention_mask", "mask", to=TensorProto.FLOAT),
    node("Sub", "one mask", "padding"),
    node("Mul", "padding least", "spread"),
    node("Unsqueeze", "spread middle", "bias"),
]
ATTENTION = [*split("q"), *split("k"), *split("v"), *BIAS]
ATTENTION_CONSTANTS = {
    **{f"{name}_weight": values(16, 16, seed=seed) for seed, name in enumerate("qkv")},
    **MASK_CONSTANTS,
    "middle": np.array([1, 2], dtype=np.int64),
    "four": np.array([0, 0, 4, 4], dtype=np.int64),
    "three": np.array([0, 0, 16], dtype=np.int64),
    "half": np.array(0.5, dtype=np.float32),
    "zero": np.array(0, dtype=np.float32),
}
SOFTMAX = node("Softmax", "masked", "weights", axis=-1)
FUSABLE = {
    "plain": [node("MatMul", "q_heads k_heads", "scores"), node("Softmax", "scores", "weights", axis=-1)],
    "a mask": [node("MatMul", "q_heads k_heads", "scores"), node("Add", "scores bias", "masked"), SOFTMAX],
    "scaled scores": [
        node("MatMul", "q_heads k_heads", "scores"),
        node("Div", "scores half", "scaled"),
        node("Add", "bias scaled", "masked"),
        SOFTMAX,
    ],
    "scaled queries and keys": [
        node("Mul", "q_heads half", "q_scaled"),
        node("Mul", "k_heads half", "k_scaled"),
        node("MatMul", "q_scaled k_scaled", "scores"),
        node("Add", "scores bias", "masked"),
        SOFTMAX,
    ],
    "guarded": [
        node("MatMul", "q_heads k_heads", "scores"),
        node("Add", "scores bias", "masked"),
        node("Softmax", "masked", "soft", axis=-1),
        node("IsNaN", "soft", "broken"),
        node("Where", "broken zero soft", "weights"),
    ],
    "rotated": [
        node("Neg", "q_heads", "q_turned"),
        node("Neg", "k_heads", "k_turned"),
        node("MatMul", "q_turned k_turned", "scores"),
        node("Add", "scores bias", "masked"),
        SOFTMAX,
    ],
}


@pytest.mark.parametrize("between", FUSABLE.values(), ids=FUSABLE)
def test_attention_in_one_operator_gives_the_same(between: list[Any], tmp_path: Path) -> None:
    model = model_of([*ATTENTION, *between, *ENDING], ATTENTION_CONSTANTS)
    wanted = run(model)
    clamp_masks(model.graph)
    assert fuse_attention(model, observe_floats(model, [BATCH], tmp_path)) == 1
    assert not {"Softmax", "IsNaN"} & {each.op_type for each in model.graph.node}
    np.testing.assert_allclose(run(model), wanted, atol=1e-5)


UNLIKE = {
    "scores that are read elsewhere": [*FUSABLE["a mask"], node("Identity", "scores", "other")],
    "another axis": [node("MatMul", "q_heads k_heads", "scores"), node("Softmax", "scores", "weights", axis=2)],
    "two products": [
        node("MatMul", "q_heads k_heads", "scores"),
        node("MatMul", "q_heads k_heads", "others"),
        node("Add", "scores others", "masked"),
        SOFTMAX,
    ],
}


@pytest.mark.parametrize("between", UNLIKE.values(), ids=UNLIKE)
def test_what_is_no_such_attention_stays(between: list[Any], tmp_path: Path) -> None:
    outputs = "y other" if any("other" in each.output for each in between) else "y"
    model = model_of([*ATTENTION, *between, *ENDING], ATTENTION_CONSTANTS, outputs)
    before = [each.SerializeToString() for each in model.graph.node]
    assert fuse_attention(model, observe_floats(model, [BATCH], tmp_path)) == 0
    assert [each.SerializeToString() for each in model.graph.node] == before
