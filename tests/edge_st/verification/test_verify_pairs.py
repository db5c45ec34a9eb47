"""``edge-st verify`` of cross-encoders and sparse encoders: golden outputs that match, and those that do not."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st import CrossEncoder, SparseEncoder
from edge_st.cli import main
from tests.support.tiny_models import graph_entry, write_record
from tests.support.tiny_pair_models import SPARSE_SETTINGS, TinyCrossEncoder, TinySparseEncoder

Changed = Callable[[NDArray[np.float64]], NDArray[np.float64]]
PAIRS = [("the quick fox", "a lazy dog"), ("who painted the door", "nobody"), ("seven boats", "the cold sea")]
TEXTS = [text for pair in PAIRS for text in pair]
PROMPTS = {"prompts": {"query": "search: "}}
GRAPHS = [graph_entry("onnx/model.onnx", "onnx"), graph_entry("onnx/model.onnx", "openvino")]
KEPT = 8


def as_it_is(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values


def vectors(rows: list[Any], prompt_name: str | None = None) -> dict[str, Any]:
    return {"prompt_name": prompt_name, "task": None, "embeddings": rows}


def rounded(values: NDArray[Any]) -> list[list[float]]:
    return [[round(value, 7) for value in row] for row in values.tolist()]


def write(folder: Path, kind: type, task: str, golden: dict[str, Any]) -> Path:
    write_record(folder, GRAPHS, task=task, golden=golden)
    fingerprint = kind(folder, backend="onnx").fingerprint
    write_record(folder, GRAPHS, task=task, golden=golden, fingerprint=fingerprint)
    return folder


def cross_encoder(folder: Path, labels: int = 1, change: Changed = as_it_is, pairs: Any = PAIRS) -> Path:
    tiny = TinyCrossEncoder(labels=labels, settings=PROMPTS)
    plain, prompted = (tiny.logits(pairs, prompt).astype(np.float64) for prompt in ("", "search: "))
    golden = {"texts": pairs, "vectors": [vectors(rounded(change(plain))), vectors(rounded(prompted), "query")]}
    return write(tiny.save(folder), CrossEncoder, "cross-encoder", golden)


def sparse_encoder(folder: Path, in_graph: bool = True, change: Changed = as_it_is) -> Path:
    tiny = TinySparseEncoder(in_graph, settings=SPARSE_SETTINGS | PROMPTS)
    weights = [tiny.weights(TEXTS, prompt).astype(np.float64) for prompt in ("", "search: ")]
    rows = [
        [{str(dim): round(row[dim], 7) for dim in sorted(np.argsort(-row)[:KEPT].tolist())} for row in each]
        for each in (change(weights[0]), weights[1])
    ]
    golden = {"texts": TEXTS, "vectors": [vectors(rows[0]), vectors(rows[1], "query")]}
    return write(tiny.save(folder), SparseEncoder, "sparse-encoder", golden)


FOLDERS: dict[str, Callable[[Path], Path]] = {
    "one label": cross_encoder,
    "three labels": lambda path: cross_encoder(path, 3),
    "SPLADE in the graph": sparse_encoder,
    "SPLADE in NumPy": lambda path: sparse_encoder(path, in_graph=False),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_folders_that_give_their_golden_values(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(FOLDERS[case](tmp_path)), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["engine"] for row in rows] == ["onnx", "onnx", "openvino", "openvino"]
    assert [row["output"] for row in rows] == ["embeddings", "prompt_name='query'"] * 2
    assert all(row["equal"] and row["max_abs_difference"] < 1e-5 for row in rows)


WRONG: dict[str, Callable[[Path], Path]] = {
    "logits moved": lambda path: cross_encoder(path, change=lambda logits: logits + 0.5),
    "logits scaled": lambda path: cross_encoder(path, change=lambda logits: logits * 2),
    "logits of another order": lambda path: cross_encoder(path, change=lambda logits: logits[::-1]),
    "labels exchanged": lambda path: cross_encoder(path, 3, change=lambda logits: logits[:, ::-1]),
    "one label's logits": lambda path: cross_encoder(path, 3, change=lambda logits: logits + 0.01 * np.eye(3)[1]),
    "the logit of the only pair": lambda path: cross_encoder(path, change=lambda logits: logits + 1, pairs=PAIRS[:1]),
    "weights scaled": lambda path: sparse_encoder(path, change=lambda weights: weights * 1.01),
    "weights of other words": lambda path: sparse_encoder(path, change=lambda weights: weights[:, ::-1]),
    "weights in another order": lambda path: sparse_encoder(path, change=lambda weights: weights[::-1]),
}


@pytest.mark.parametrize("case", WRONG)
def test_folders_that_do_not(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(WRONG[case](tmp_path)), "--json"]) == 1
    captured = capsys.readouterr()
    assert [row["equal"] for row in json.loads(captured.out)] == [False, True, False, True]
    assert "2 of 4 outputs differ from the original's" in captured.err


@pytest.mark.parametrize(
    ("change", "code", "verdict"),
    [
        (as_it_is, 0, "equal"),
        (lambda logits: logits + 0.01, 1, r"beyond \d\.\de-04"),
        (lambda logits: logits[::-1], 1, r"below 0\.99999"),
    ],
)
def test_the_table_says_what_is_wrong(
    change: Changed, code: int, verdict: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(cross_encoder(tmp_path, change=change))]) == code
    rows = capsys.readouterr().out.splitlines()[1:]
    assert len(rows) == 4
    for row, expected in zip(rows, [verdict, "equal"] * 2, strict=True):
        assert re.search(rf" {expected}$", row)
