"""How results of ``edge-st bench --peers`` are compared; the race itself runs beside a real peer in tests/export."""

from pathlib import Path

import numpy as np
import pytest

from edge_st.speed.peers import PEERS, Setting
from edge_st.speed.racing import Result, fastest_own, nearness, reference


def result(label: str, rate: float, outputs: list[list[float]] | list[float], version: str = "") -> Result:
    versions = {"library": version} if version else {}
    return Result(label, versions, [rate, 2 * rate], [rate], [1000 / rate], np.array(outputs))


def test_the_reference_is_edge_st_in_float32_else_torch_else_the_first() -> None:
    int8, exact = result("edge-st onnx int8", 3, [[1, 0]]), result("edge-st onnx float32", 1, [[1, 0]])
    torch = result("sentence-transformers torch", 1, [[1, 0]], "6.2.0")
    assert reference([int8, exact, torch]) is exact
    assert reference([int8, torch]) is torch
    assert reference([int8]) is int8


def test_the_fastest_variant_is_one_of_edge_st() -> None:
    slow, fast = result("edge-st onnx float32", 1, [[1, 0]]), result("edge-st onnx int8", 2, [[1, 0]])
    assert fastest_own([slow, fast, result("fastembed", 9, [[1, 0]], "0.9.1")]) is fast


def test_nearness_of_vectors_and_of_scores() -> None:
    exact, near = result("a", 1, [[2, 0], [0, 1]]), result("b", 1, [[1, 0], [3, 4]])
    assert nearness(near, exact) == pytest.approx({"cosine_mean": 0.9, "cosine_min": 0.8})
    assert nearness(result("a", 1, [1.0, -2.0]), result("b", 1, [1.5, -2.25])) == {"score_difference": 0.5}


@pytest.mark.parametrize(
    ("label", "task", "reason"),
    [
        ("sentence-transformers torch", "dense", "no model.safetensors in original; name the folder that has it with"),
        ("sentence-transformers openvino", "rerank", "no openvino/*.xml in folder"),
        ("fastembed", "dense", "no onnx/model.onnx in folder"),
        ("llama.cpp Q8_0", "rerank", "runs no model of the kind 'rerank'"),
    ],
)
def test_what_a_peer_lacks(label: str, task: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = PEERS[label].lacks(Setting(task, "folder", "original", "onnx/model.onnx", 1))
    assert found is not None
    assert reason in found
