"""Int8 of a multi-vector model: its gate and its calibration, and the self-test of the first load."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_st import MultiVectorEncoder
from edge_st.verification.checks import verify_folder
from edge_st_export import ExportReport, export_model
from edge_st_export.int8 import fitted_graphs
from edge_st_export.int8.fitted_graphs import fit_graphs
from edge_st_export.int8.gate import Gate
from edge_st_export.int8.kept_fits import Kept
from edge_st_export.int8.options import Int8
from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.model import choosing
from edge_st_runtime.vectors.parity import cosines
from tests.export.folder.test_export import read_record
from tests.support.made_once import MadeOnce
from tests.support.tiny_models import write_json

pytest.importorskip("sentence_transformers", minversion="6.0")

FILES = {"onnx": "onnx/model_int8.onnx", "openvino": "openvino/openvino_model_int8.xml"}
GATE = Gate(cosine=0.98, p1=0.8, agreement=0.5)
QUERIES = ["who painted the old green door?", "small boats", ""]


@pytest.fixture
def report(once: MadeOnce) -> ExportReport:
    """A model whose queries are filled up to 32 tokens, in int8."""
    from tests.export.int8.int8_models import BERT
    from tests.export.zoo.multi_vector import PROMPTS, PUNCTUATION, fixed, late, projection

    build = late(
        lambda: projection(64),
        **BERT,
        expansion=fixed(32),
        mask={"skiplist_words": PUNCTUATION},
        prompts=PROMPTS,
    )
    made: ExportReport = once(
        "int8-late", lambda folder: export_model(build(folder), folder / "out", int8=Int8(GATE), quiet=True)
    )
    return made


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache of self-tests, and a CPU that gains from int8."""
    monkeypatch.setattr(choosing, "cpu_features", lambda: frozenset({"avx_vnni"}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_both_engines_keep_what_the_gate_asks_for(report: ExportReport) -> None:
    graphs = {graph.engine: graph for graph in report.graphs if graph.dtype == "int8"}
    assert {engine: graph.file for engine, graph in graphs.items()} == FILES
    plain = np.concatenate(MultiVectorEncoder(report.path, dtype="float32").encode_query(QUERIES))
    for engine in FILES:
        (best,) = [each for each in report.tried if each.report.engine == engine and not each.shortfall(GATE)]
        assert 0.98 <= best.quality.cosine_mean < 1
        found = np.concatenate(MultiVectorEncoder(report.path, backend=engine, dtype="int8").encode_query(QUERIES))
        assert len(found) == 32 * len(QUERIES)
        assert 0.9 < cosines(found, plain).min() < 0.99999
    compared = {variant.file: rows for variant, rows in verify_folder(report.path).items()}
    assert set(FILES.values()) < set(compared)
    assert all(row.equal for rows in compared.values() for row in rows)


def test_calibration_sees_queries_that_are_filled_up(report: ExportReport, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[TokenBatch]()
    observe = fitted_graphs.observe

    def observed(graph: Path, names: list[str], batches: list[TokenBatch]) -> object:
        seen.extend(batches)
        return observe(graph, names, batches)

    monkeypatch.setattr(fitted_graphs, "observe", observed)
    texts = (["small boats"], ["a"])
    fit_graphs(report.path, texts, Kept([], []), lambda _: None)
    shapes = [batch.shape for batch in seen]
    assert shapes[1::2] == [(1, 32)] * 2
    assert shapes[0][1] < 32
    mask = MultiVectorEncoder(report.path).tokenizer.token_to_id("[MASK]")
    assert seen[1].input_ids[0, -1] == mask
    assert not seen[1].attention_mask[0, -1]


def test_a_graph_that_is_off_gives_way(report: ExportReport, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = shutil.copytree(report.path, tmp_path / "copy")
    content = read_record(folder)
    golden = content["golden"]["vectors"][0]
    golden["embeddings"][2] = [-value for value in golden["embeddings"][2]]
    write_json(folder / "edge_st.json", content)
    info = MultiVectorEncoder(folder, backend="onnx", dtype="int8").info()
    assert (info["graph"], info["dtype"]) == ("onnx/model.onnx", "float32")
    assert "reaches a cosine of -0.9" in info["reason"]
    assert [record.levelno for record in caplog.records if "fell back" in record.getMessage()] == [logging.WARNING]


def test_another_number_of_tokens_gives_way_too(report: ExportReport, tmp_path: Path) -> None:
    folder = shutil.copytree(report.path, tmp_path / "copy")
    content = read_record(folder)
    counts = content["golden"]["vectors"][0]["counts"]
    counts[0], counts[1] = counts[0] - 1, counts[1] + 1
    write_json(folder / "edge_st.json", content)
    assert "cosine of -1.00000" in MultiVectorEncoder(folder, backend="onnx", dtype="int8").info()["reason"]


def test_an_equal_graph_stays_whatever_the_prompts_and_lengths_are(report: ExportReport, tmp_path: Path) -> None:
    folder = shutil.copytree(report.path, tmp_path / "copy")
    model = MultiVectorEncoder(folder, backend="onnx", dtype="int8")
    assert (model.info()["graph"], model.info()["dtype"]) == (FILES["onnx"], "int8")
    changes = {
        "config_sentence_transformers.json": {"prompts": {"query": "who: ", "document": ""}},
        "sentence_bert_config.json": {"document_length": 12, "query_expansion": None},
    }
    for name, changed in changes.items():
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        write_json(folder / name, content | changed)
    again = MultiVectorEncoder(folder, backend="onnx", dtype="int8")
    assert again.info()["dtype"] == "int8"
    assert again.fingerprint != model.fingerprint
    assert len(again.encode_document("small boats " * 20)) == 12
