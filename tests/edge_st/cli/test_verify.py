"""``edge-st verify``: golden vectors that match, and everything that does not."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.cli import main
from tests.support.tiny_models import TinyModel, graph_entry, write_record

TEXTS = ["the quick brown fox", "seven small boats"]
SETTINGS = {"prompts": {"query": "search: "}}
GRAPHS = [
    graph_entry("onnx/model.onnx", "onnx"),
    graph_entry("onnx/model.onnx", "openvino"),
    graph_entry("onnx/model.onnx", "onnx", "int8", cosine_min=0.97, cpu_features=["a feature that no CPU has"]),
]


def golden(model: TinyModel, prompt_name: str | None, prompt: str, off: float = 0) -> dict[str, Any]:
    vectors = model.means([prompt + text for text in TEXTS])
    vectors[0, 0] += off
    return {"prompt_name": prompt_name, "task": None, "embeddings": vectors.tolist()}


def without_golden(folder: Path) -> None:
    fingerprint = SentenceTransformer(folder, backend="onnx").fingerprint
    write_record(folder, GRAPHS, golden={"texts": [], "vectors": []}, fingerprint=fingerprint)


def write(folder: Path, off: float = 0) -> Path:
    model = TinyModel(settings=SETTINGS)
    model.save(folder)
    vectors = [golden(model, None, ""), golden(model, "query", "search: ", off)]
    write_record(folder, GRAPHS, golden={"texts": TEXTS, "vectors": vectors})
    fingerprint = SentenceTransformer(folder, backend="onnx").fingerprint
    write_record(folder, GRAPHS, golden={"texts": TEXTS, "vectors": vectors}, fingerprint=fingerprint)
    return folder


def test_a_folder_that_gives_its_golden_vectors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(write(tmp_path))]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["variant", "graph", "output", "cosine", "min", "max", "difference"]
    assert [row.split()[0] for row in rows] == ["onnx", "onnx", "openvino", "openvino"]
    assert [row.split()[3] for row in rows] == ["embeddings", "prompt_name='query'"] * 2
    assert all(row.endswith("equal") for row in rows)


def test_a_folder_that_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(write(tmp_path, off=0.5)), "--json"]) == 1
    captured = capsys.readouterr()
    rows = json.loads(captured.out)
    assert [row["equal"] for row in rows] == [True, False, True, False]
    assert np.isclose(rows[1]["max_abs_difference"], 0.5, atol=1e-5)
    assert captured.err == "edge-st: error: 2 of 4 outputs differ from the original's; export the model again\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "edge_st.json").unlink(), r"has no edge_st.json.*--against ORIGINAL"),
        (lambda folder: (folder / "config.json").write_text("{}"), r"config.json has 2 bytes, expected"),
        (without_golden, "nothing to compare"),
        (lambda folder: write_record(folder, GRAPHS[2:]), "nothing to compare: no graph"),
        (lambda folder: write_record(folder, GRAPHS), "has the fingerprint .*, its edge_st.json says ffff"),
    ],
    ids=["no record", "a changed file", "no golden vectors", "no graph that runs", "another fingerprint"],
)
def test_nothing_to_trust(change: Any, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(write(tmp_path))
    assert main(["verify", str(tmp_path)]) == 1
    assert re.match(f"edge-st: error: .*{message}", capsys.readouterr().err)


def test_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "no-such-model"]) == 1
    assert "and no installed model of this name; give a folder that edge-st export wrote" in capsys.readouterr().err


def test_against_an_original_without_the_exporter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    assert main(["verify", str(write(tmp_path)), "--against", "all-MiniLM-L6-v2"]) == 1
    assert "edge-st verify --against needs the package edge-st-export" in capsys.readouterr().err
