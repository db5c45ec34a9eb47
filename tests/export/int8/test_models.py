"""Int8 from end to end: small random models of every class, exported, loaded, checked, damaged, and handed on."""

import os
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from edge_st.hub.pull import pull
from edge_st.models.classes import open_model
from edge_st.verification.checks import verify_folder
from edge_st.verification.outputs import plain_output
from edge_st_export import ExportReport, export_model, pack_project
from edge_st_export.int8.gate import Gate
from edge_st_export.int8.options import Int8
from edge_st_export.int8.rewrite import INTEGER_MATMUL
from edge_st_export.original.texts import ORDINARY
from edge_st_runtime.errors import DamagedFileError
from edge_st_runtime.model.record import read_record
from edge_st_runtime.vectors.parity import correlations, cosines
from tests.export.folder.test_export import files_of
from tests.export.int8.int8_models import LAYERS, MODELS
from tests.support.hub_server import HubServer
from tests.support.made_once import MadeOnce
from tests.support.slow import slow_but

GATE = Gate(cosine=0.99, p1=0.9, agreement=0.5)
FILES = {"onnx": "onnx/model_int8.onnx", "openvino": "openvino/openvino_model_int8.xml"}
TEXTS = [*ORDINARY[:10], "", "x" * 300, "the quick brown fox " * 40]
#: an attention's three are one in what the builder writes; in the last layer of a cross-encoder the first token alone
#: asks, and the pooler is one more; DeBERTa's products with places are constants
INTEGER_MATMULS = {
    **dict.fromkeys(("bert", "roberta", "mpnet", "distilbert", "router", "modernbert", "deberta", "t5"), 4 * LAYERS),
    "albert": 4 * LAYERS + 1,
    "splade": 4 * LAYERS + 2,
    "cross-encoder": 4 * LAYERS + 2,
}
#: OpenVINO sums in another order for another shape, and then a code may be rounded the other way
SAME_ALONE = {"onnx": 1e-5, "openvino": 1e-2}


def exported_in_int8(name: str, once: MadeOnce) -> ExportReport:
    """The model ``name`` with int8 graphs; a dense one of them opens in int8."""
    int8 = Int8(GATE, default=name == "bert")
    report: ExportReport = once(
        f"int8-{name}", lambda folder: export_model(MODELS[name](folder), folder / "out", int8=int8, quiet=True)
    )
    return report


@pytest.fixture(params=slow_but({"bert", "splade", "cross-encoder"}, MODELS))
def exported(request: pytest.FixtureRequest, once: MadeOnce) -> tuple[str, ExportReport]:
    return request.param, exported_in_int8(request.param, once)


@pytest.fixture
def bert(once: MadeOnce) -> Path:
    """A dense model that opens in int8."""
    return exported_in_int8("bert", once).path


def inputs(name: str) -> list[Any]:
    return list(pairwise(TEXTS)) if name == "cross-encoder" else TEXTS


def outputs(name: str, folder: Path, engine: str, dtype: str, texts: list[Any]) -> Any:
    model = open_model(folder, backend=engine, dtype=dtype)
    assert (model.info()["engine"], model.info()["dtype"]) == (engine, dtype)
    task = "document" if name == "router" else None
    return plain_output(model, texts, None, task)


def test_every_class(exported: tuple[str, ExportReport]) -> None:
    name, report = exported
    graphs = {graph.engine: graph for graph in report.graphs if graph.dtype == "int8"}
    assert sorted(graphs) == list(FILES)
    assert [note for note in report.notes if "int8" in note] == []
    for engine in FILES:
        assert graphs[engine].file == FILES[engine]
        together = outputs(name, report.path, engine, "int8", inputs(name))
        alone = np.concatenate([outputs(name, report.path, engine, "int8", [text]) for text in inputs(name)[::4]])
        assert np.abs(together[::4] - alone).max() <= SAME_ALONE[engine] * max(1.0, np.abs(together).max())
        plain = outputs(name, report.path, engine, "float32", inputs(name))
        near = (correlations if name == "cross-encoder" else cosines)(together, plain)
        assert 0.9 <= near.min() <= near.mean() < 1
    assert set(FILES.values()) <= {variant.file for variant in verify_folder(report.path)}
    assert all(row.equal for rows in verify_folder(report.path).values() for row in rows)
    _check_graphs(name, report)


def _check_graphs(name: str, report: ExportReport) -> None:
    """Every matmul is one of integers, and its weight is stored once, in a file of its own."""
    left = next(each.left for each in report.tried if not each.shortfall(GATE))
    paths = sorted(report.path.rglob("model_int8.onnx"))
    assert len(paths) == (2 if name == "router" else 1)
    for path in paths:
        graph = onnx.load(path, load_external_data=False).graph
        matmuls = [node for node in graph.node if node.op_type == INTEGER_MATMUL]
        weights = [tensor for tensor in graph.initializer if tensor.data_type == TensorProto.INT8]
        assert len(weights) == len({node.input[1] for node in matmuls})
        if name == "albert":
            assert len(weights) == 5
        if not left:
            assert len(matmuls) == INTEGER_MATMULS[name]
        large = [tensor for tensor in weights if len(tensor.raw_data) >= 1024]
        assert large == []
    assert not list(report.path.rglob(".*"))


def test_each_engine_is_searched_for(tmp_path: Path) -> None:
    gate = Gate(cosine=0.9, p1=0.9, agreement=0.99)
    report = export_model(MODELS["bert"](tmp_path), tmp_path / "out", int8=Int8(gate), quiet=True)
    for engine in FILES:
        first, *_, last = [each for each in report.tried if each.report.engine == engine]
        assert first.shortfall(gate)
        assert not last.shortfall(gate)
        (graph,) = [each for each in report.graphs if (each.engine, each.dtype) == (engine, "int8")]
        assert graph.cosine_min == last.report.cosine_min


def test_the_record(bert: Path) -> None:
    record = read_record(bert)
    assert record is not None
    assert record.default_dtype == "int8"
    assert open_model(bert).info()["dtype"] == "int8"
    assert open_model(bert, dtype="float32").info()["dtype"] == "float32"
    assert set(record.graph_files(FILES["onnx"])) == {FILES["onnx"], f"{FILES['onnx']}_data"}
    assert {entry.file for entry in record.graphs if entry.dtype == "int8"} == set(FILES.values())


@pytest.mark.parametrize(
    ("engine", "file"), [("onnx", f"{FILES['onnx']}_data"), ("openvino", "openvino/openvino_model_int8.bin")]
)
def test_a_damaged_file_is_found(engine: str, file: str, bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "copy")
    with (folder / file).open("r+b") as opened:
        opened.seek(-50, os.SEEK_END)
        opened.write(b"\1\2\3")
    with pytest.raises(DamagedFileError, match=f"{Path(file).name} has sha256 .* expected"):
        verify_folder(folder)


def test_pulling_takes_the_weights_along(bert: Path, hub: HubServer, tmp_path: Path) -> None:
    hub.add("me/int8", files_of(bert))
    for engine in FILES:
        folder = pull("me/int8", tmp_path / engine, backend=engine, dtype="int8")
        assert open_model(folder, backend=engine).info()["dtype"] == "int8"
    names = set(files_of(tmp_path / "onnx"))
    assert {FILES["onnx"], f"{FILES['onnx']}_data"} <= names
    assert not {"onnx/model.onnx", FILES["openvino"]} & names


def test_without_a_record_the_names_tell(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "copy", ignore=shutil.ignore_patterns("edge_st.json"))
    for engine, file in FILES.items():
        info = open_model(folder, backend=engine, dtype="int8").info()
        assert (info["graph"], info["dtype"]) == (file, "int8")
        assert open_model(folder, backend=engine).info()["dtype"] == "float32"


def test_packing_takes_the_weights_along(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "bert")
    (folder / "LICENSE").write_text("do")
    project = pack_project(folder, tmp_path / "project", graphs=[FILES["onnx"]])
    names = {path.name for path in Path(project).rglob("*")}
    assert {"model_int8.onnx", "model_int8.onnx_data"} <= names
    assert "model.onnx" not in names
