"""``edge_st.json``: its required contents, and the check of the files that it lists."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError, FolderError, MissingFileError, UnsafePathError
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.model.loading import load_model
from edge_st_runtime.model.record import GraphRecord, read_record
from tests.support.damage import flip
from tests.support.tiny_graphs import HIDDEN, store_outside
from tests.support.tiny_models import GOLDEN, MEAN, NORMALIZE, TinyModel, dense, graph_entry, write_json, write_record

ONNX, O3 = "onnx/model.onnx", "onnx/model_O3.onnx"
TOKENS = {"prompt_name": None, "task": None, "embeddings": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}
GRAPHS = [graph_entry(O3, "onnx", cosine_min=0.99999), graph_entry(ONNX, "onnx")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a record, and two graphs of which the O3 one is chosen."""
    TinyModel(graph_files=(ONNX, O3), modules=(MEAN, NORMALIZE)).save(tmp_path)
    (tmp_path / "README.md").write_text("card")
    write_record(tmp_path, GRAPHS)
    return tmp_path


def test_content(folder: Path) -> None:
    record = read_record(folder)
    assert record is not None
    assert record.task == "sentence-embedding"
    assert [(graph.file, graph.lossless) for graph in record.graphs] == [(O3, True), (ONNX, True)]
    assert record.files["README.md"][1] == 4
    assert record.golden_texts == ("a",)
    assert record.golden[0].embeddings.dtype == np.float32


def test_golden_vectors_of_tokens(folder: Path) -> None:
    without = {"prompt_name": "query", "task": "query", "counts": [0, 0, 0], "embeddings": []}
    write_record(
        folder, GRAPHS, golden={"texts": ["a", "b", "c"], "vectors": [{**TOKENS, "counts": [1, 0, 2]}, without]}
    )
    record = read_record(folder)
    assert record is not None
    golden, empty = record.golden
    assert golden.counts is not None
    assert golden.counts.tolist() == [1, 0, 2]
    last = golden.at([2, 1])
    assert last.counts is not None
    assert last.counts.tolist() == [2, 0]
    assert last.embeddings.tolist() == [[3, 4], [5, 6]]
    assert empty.embeddings.shape == (0, 0)
    assert empty.at([1]).embeddings.shape == (0, 0)


def test_graphs_for_gpus_and_how_they_were_compared(folder: Path) -> None:
    emulated = graph_entry(O3, "onnx", "bfloat16", 0.99995, cpu_features=["gpu"], arithmetic="float32")
    write_record(folder, [emulated, graph_entry(ONNX, "onnx")])
    record = read_record(folder)
    assert record is not None
    assert [graph.arithmetic for graph in record.graphs] == ["float32", None]
    assert load_model(folder, LoadOptions(backend="onnx")).routes[""].choice.file == ONNX


def test_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


@pytest.mark.parametrize("version", [None, 0, 1, "2"])
def test_unknown_version(version: Any, folder: Path) -> None:
    write_record(folder, GRAPHS, format_version=version)
    with pytest.raises(
        DamagedFileError, match=f"format version {version!r}, this edge-st reads 2.*pip install -U edge-st"
    ):
        read_record(folder)


@pytest.mark.parametrize("key", ["task", "weights_sha256", "fingerprint", "files", "graphs", "golden"])
def test_missing_key(key: str, folder: Path) -> None:
    content = json.loads((folder / "edge_st.json").read_text())
    del content[key]
    write_json(folder / "edge_st.json", content)
    with pytest.raises(DamagedFileError, match=rf"edge_st\.json: {key} is missing; expected .*; correct it, or"):
        read_record(folder)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"task": 3}, "task is 3; expected a text"),
        ({"files": []}, "files is []; expected a JSON object"),
        ({"files": {"x": 3}}, "files.x is 3; expected a JSON object"),
        ({"files": {"x": {"sha256": "0", "bytes": "9"}}}, "files.x.bytes is '9'; expected a whole number"),
        ({"graphs": [3]}, "graphs is [3]; expected a list of JSON objects"),
        ({"graphs": [{"file": "x"}]}, "graphs[0].engine is missing; expected a text"),
        ({"graphs": [GRAPHS[0] | {"cosine_min": "1"}]}, "graphs[0].cosine_min is '1'; expected a number; "),
        ({"golden": {"texts": "a", "vectors": []}}, "golden.texts is 'a'; expected a list"),
        ({"golden": {"texts": ["a"], "vectors": [GOLDEN | {"embeddings": 1}]}}, "vectors[0].embeddings is 1; expected"),
        ({"golden": {"texts": ["a"], "vectors": [GOLDEN | {"embeddings": [[1], []]}]}}, "have different lengths"),
        ({"golden": {"texts": ["a"], "vectors": [GOLDEN | {"counts": 1}]}}, "vectors[0].counts is 1; expected a list"),
        ({"golden": {"texts": ["a", "b"], "vectors": [TOKENS | {"counts": [3]}]}}, "counts is [3]; expected how many"),
        ({"golden": {"texts": ["a", "b"], "vectors": [TOKENS | {"counts": [2, 2]}]}}, "of the 3 rows each of 2 texts"),
        ({"golden": {"texts": ["a", "b"], "vectors": [TOKENS | {"counts": [4, -1]}]}}, "counts is [4, -1]; expected"),
        (
            {"golden": {"texts": ["a", "b"], "vectors": [TOKENS | {"counts": [2, True]}]}},
            "counts is [2, True]; expected",
        ),
    ],
    ids=str,
)
def test_wrong_types(changes: dict[str, Any], named: str, folder: Path) -> None:
    write_record(folder, **{"graphs": GRAPHS, **changes})
    with pytest.raises(DamagedFileError, match=rf"edge_st\.json: .*{re.escape(named)}"):
        read_record(folder)


@pytest.mark.parametrize(
    "name", [O3, "tokenizer.json", "modules.json", "config.json", "1_Pooling/config.json", "2_Dense/model.safetensors"]
)
def test_a_file_that_it_does_not_list(name: str, tmp_path: Path) -> None:
    model = TinyModel(graph_files=(ONNX, O3), modules=(MEAN, dense(np.eye(HIDDEN, dtype=np.float32))))
    folder = model.save(tmp_path)
    write_record(folder, GRAPHS)
    load_model(folder, LoadOptions(backend="onnx"))
    content = json.loads((folder / "edge_st.json").read_text())
    content["files"]["../x"] = content["files"].pop(name)
    write_json(folder / "edge_st.json", content)
    with pytest.raises(DamagedFileError, match=rf"edge_st\.json does not list {name}, which the model loads"):
        load_model(folder, LoadOptions(backend="onnx"))


def test_files_that_are_right(folder: Path) -> None:
    assert load_model(folder, LoadOptions(backend="onnx")).routes[""].choice.file == O3


@pytest.mark.parametrize("name", [O3, "tokenizer.json", "modules.json", "1_Pooling/config.json", "config.json"])
def test_wrong_checksum(name: str, folder: Path) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(FolderError, match=Path(name).name):
        load_model(folder, LoadOptions(backend="onnx"))


def test_same_size_other_content(folder: Path) -> None:
    text = (folder / "1_Pooling" / "config.json").read_text()
    (folder / "1_Pooling" / "config.json").write_text(text.replace("12", "21"))
    with pytest.raises(DamagedFileError, match=r"config.json has sha256 \w{64}, expected \w{64}; .*edge-st pull"):
        load_model(folder, LoadOptions(backend="onnx"))


@pytest.mark.parametrize("name", [O3, "tokenizer.json", "config.json"])
def test_wrong_size(name: str, folder: Path) -> None:
    size = (folder / name).stat().st_size
    with (folder / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(DamagedFileError, match=f"{name} has {size + 1} bytes, expected {size}"):
        load_model(folder, LoadOptions(backend="onnx"))


def test_truncated_graph_is_reported_by_its_size(folder: Path) -> None:
    content = (folder / O3).read_bytes()
    (folder / O3).write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedFileError, match=f"expected {len(content)}"):
        load_model(folder, LoadOptions(backend="onnx"))


@pytest.mark.parametrize(
    "name", ["config.json", "sentence_bert_config.json", "modules.json", "2_Normalize/config.json"]
)
def test_recorded_file_that_is_gone(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(MissingFileError, match=name):
        load_model(folder, LoadOptions(backend="onnx"))


@pytest.mark.parametrize("name", ["README.md", ONNX])
def test_files_that_the_model_does_not_need(name: str, folder: Path) -> None:
    (folder / name).write_text("something else")
    assert load_model(folder, LoadOptions(backend="onnx")).routes[""].choice.file == O3
    (folder / name).unlink()
    assert load_model(folder, LoadOptions(backend="onnx")).routes[""].choice.file == O3


def test_names_outside_the_folder(folder: Path) -> None:
    record = json.loads((folder / "edge_st.json").read_text())
    record["files"]["../config.json"] = {"sha256": "0" * 64, "bytes": 3}
    write_json(folder / "edge_st.json", record)
    with pytest.raises(UnsafePathError, match=r"'../config.json'"):
        load_model(folder, LoadOptions(backend="onnx"))


@pytest.mark.parametrize("default", [None, "int8", "float32"])
def test_default_dtype(default: str | None, folder: Path) -> None:
    write_record(folder, GRAPHS, default_dtype=default)
    record = read_record(folder)
    assert record is not None
    assert record.default_dtype == default


@pytest.mark.parametrize("default", ["auto", "int4", 8, ""])
def test_unknown_default_dtype(default: Any, folder: Path) -> None:
    write_record(folder, GRAPHS, default_dtype=default)
    with pytest.raises(DamagedFileError, match=r"default_dtype .*expected one of 'float32', 'bfloat16', 'int8'"):
        read_record(folder)


@pytest.mark.parametrize(
    ("dtype", "cosine", "least"),
    [
        ("float32", 1.0, 0.99999),
        ("float32", 0.998, 0.998),
        ("bfloat16", 0.99995, 0.99945),
        ("int8", 0.97, 0.965),
    ],
)
def test_least_cosine_on_another_machine(dtype: str, cosine: float, least: float) -> None:
    assert GraphRecord(ONNX, "onnx", dtype, cosine_min=cosine).least == pytest.approx(least)


def test_files_of_a_graph(folder: Path) -> None:
    (folder / f"{ONNX}_data").write_text("weights")
    write_record(folder, GRAPHS)
    record = read_record(folder)
    assert record is not None
    assert record.graph_files(ONNX) == [ONNX, f"{ONNX}_data"]


def test_weights_that_only_the_graph_names(engine: str, folder: Path) -> None:
    weights = store_outside(folder / ONNX, "weights.bin")
    write_record(folder, [graph_entry(ONNX, engine)])
    record = read_record(folder)
    assert record is not None
    assert record.graph_files(ONNX) == [ONNX, "onnx/weights.bin"]
    load_model(folder, LoadOptions(backend=engine))
    flip(weights, 5)
    with pytest.raises(DamagedFileError, match=r"weights\.bin has sha256"):
        load_model(folder, LoadOptions(backend=engine))
    weights.unlink()
    with pytest.raises(MissingFileError, match=r"weights\.bin is missing"):
        load_model(folder, LoadOptions(backend=engine))


def test_weights_that_the_record_does_not_list(folder: Path) -> None:
    store_outside(folder / ONNX, "weights.bin")
    write_record(folder, [graph_entry(ONNX, "onnx")])
    listed = json.loads((folder / "edge_st.json").read_text())["files"]
    del listed["onnx/weights.bin"]
    write_record(folder, [graph_entry(ONNX, "onnx")], files=listed)
    with pytest.raises(DamagedFileError, match=r"weights in onnx/weights\.bin, which .*edge_st\.json does not list"):
        load_model(folder, LoadOptions(backend="onnx"))
