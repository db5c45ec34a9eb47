"""``edge-st bench --peers`` beside the real sentence-transformers; other peers have environments of their own."""

import json
import shutil
from pathlib import Path

import pytest

from edge_st.cli import main
from edge_st.speed import racing
from edge_st.speed.peers import PEERS
from edge_st_export import ExportReport
from tests.export.zoo.examining import Zoo

SPEEDS = ("short_per_second", "mixed_per_second", "single_ms", "short_lead", "mixed_lead", "single_lead")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round, without sentence-transformers' int8 on ONNX Runtime: every process that imports it takes seconds."""
    peers = {label: peer for label, peer in PEERS.items() if not label.endswith("qint8")}
    monkeypatch.setattr(racing, "PEERS", peers)
    monkeypatch.setattr(racing, "_ROUNDS", 1)
    monkeypatch.setattr(racing, "_PAUSE", 0.0)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    file = tmp_path / "texts.txt"
    file.write_text("a small boat\nthe lake is deep and cold\ntwo owls\nan old violin\n")
    return file


def test_embeddings(
    small_report: ExportReport, small_folder: Path, texts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(small_report.path, tmp_path / "small", ignore=shutil.ignore_patterns("openvino"))
    words = ["--peers", "--original", str(small_folder), "--texts", str(texts), "--json"]
    assert main(["bench", str(folder), *words]) == 0
    out, err = capfd.readouterr()
    found = json.loads(out)
    rows = {row["runner"]: row for row in found["rows"]}
    assert {"edge-st onnx float32", "sentence-transformers torch"} <= set(rows)
    assert all(row[name] > 0 for row in rows.values() for name in SPEEDS)
    assert rows["sentence-transformers torch"]["cosine_min"] > 0.99999
    assert rows["sentence-transformers torch"]["versions"]["sentence-transformers"] >= "5.7"
    assert (found["reference"], rows[found["lead_of"]]["short_lead"]) == ("edge-st onnx float32", 1)
    assert f"left out: sentence-transformers openvino (no openvino/*.xml in {folder})" in err


@pytest.mark.slow
def test_a_peer_that_fails_is_named_and_the_others_go_on(
    small_report: ExportReport, small_copy: Path, texts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(small_report.path, tmp_path / "small")
    (small_copy / "model.safetensors").write_bytes(b"not weights")
    assert main(["bench", str(folder), "--peers", "--original", str(small_copy), "--texts", str(texts)]) == 0
    out, err = capfd.readouterr()
    assert [line for line in err.splitlines() if line.startswith("left out: sentence-transformers torch (")]
    head, *rows = out.splitlines()
    assert head.split()[:2] == ["runner", "version"]
    assert "sentence-transformers openvino" in [row[: row.find("  ")] for row in rows]
    assert "sentence-transformers torch" not in out


def test_rerankers(zoo: Zoo, texts: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = "classifier-bert"
    words = ["--peers", "--original", str(zoo.original(name)), "--texts", str(texts), "--json"]
    assert main(["bench", str(zoo.exported(name).path), *words]) == 0
    out, err = capfd.readouterr()
    rows = {row["runner"]: row for row in json.loads(out)["rows"]}
    assert rows["sentence-transformers torch"]["score_difference"] < 1e-5
    assert "left out: sentence-transformers openvino int8 (runs no model of the kind 'rerank')" in err
