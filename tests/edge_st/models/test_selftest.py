"""The first load of a variant below float32 tries it on the folder's golden texts."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st_runtime.errors import DamagedFileError, EngineError
from edge_st_runtime.model import choosing, selftest
from tests.support.readme import PACKAGED
from tests.support.tiny_models import MEAN, TinyModel, graph_entry, write_record
from tests.support.tiny_pair_models import ONE, SPARSE, VOCABULARY, write_inference_free
from tests.support.variants import (
    FLOAT32,
    INT8,
    TEXTS,
    changed,
    golden,
    save_variants,
    unknown_operator,
    write_variants,
)

MUCH = 1.0
PAIRS = [("a lake", "seven boats"), ("the fox", "quick"), ("brown", "a small fox"), ("boats", "the lake")]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a CPU that gains from int8."""
    monkeypatch.setattr(choosing, "cpu_features", lambda: frozenset({"avx_vnni"}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edge-st" / "self-test"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model whose int8 graph is as good as its record says."""
    return save_variants(tmp_path / "model")


def load(folder: Path, **options: Any) -> SentenceTransformer:
    return SentenceTransformer(folder, **{"backend": "onnx", "dtype": "int8", **options})


def kept(cache: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(cache.glob("*"))]


def test_a_variant_that_is_what_its_record_says(folder: Path, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    info = load(folder).info()
    assert (info["graph"], info["dtype"]) == (INT8, "int8")
    assert info["reason"].startswith("dtype='int8' was requested")
    assert json.loads(json.dumps(info)) == info
    assert not caplog.records
    (found,) = kept(cache)
    assert 0.97 < found["cosine"] <= 1
    assert found["milliseconds"] > 0


def test_a_variant_that_is_not_gives_way(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    info = load(save_variants(tmp_path / "model", off=MUCH)).info()
    assert (info["graph"], info["dtype"]) == (FLOAT32, "float32")
    assert info["reason"].startswith(f"fell back to {FLOAT32} (onnx, float32): {INT8} (onnx, int8) reaches a cosine of")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "expected at least 0.96500" in record.getMessage()
    assert INT8 in record.getMessage()


def test_auto_with_a_default_that_fails_gives_way_too(tmp_path: Path) -> None:
    folder = save_variants(tmp_path / "model", off=MUCH, default_dtype="int8")
    assert load(folder, dtype="auto").info()["graph"] == FLOAT32
    good = save_variants(tmp_path / "good", default_dtype="int8")
    info = load(good, dtype="auto").info()
    assert info["graph"] == INT8
    assert info["reason"].startswith("the folder's default dtype is 'int8'")


def test_nothing_is_left(tmp_path: Path) -> None:
    folder = save_variants(tmp_path / "model", off=MUCH)
    (folder / FLOAT32).unlink()
    content = json.loads((folder / "edge_st.json").read_text())
    write_variants(folder, content["golden"])
    with pytest.raises(EngineError, match=rf"{INT8} .*reaches a cosine of .*expected at least 0.96500"):
        load(folder)


def test_what_was_found_is_not_computed_again(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(folder)
    (path,) = cache.glob("*")
    path.write_text(json.dumps({"cosine": 0.5}))
    assert load(folder).info()["reason"].startswith("fell back to")  # by what was kept
    monkeypatch.setattr(selftest, "cpu_name", lambda: "another CPU")
    assert load(folder).info()["dtype"] == "int8"
    monkeypatch.setattr(selftest, "engine_version", lambda _: "another version")
    assert load(folder).info()["dtype"] == "int8"
    assert len(kept(cache)) == 3


def test_another_graph_is_tested_anew(folder: Path, cache: Path) -> None:
    load(folder)
    changed(folder / INT8, MUCH)
    write_variants(folder, json.loads((folder / "edge_st.json").read_text())["golden"])
    assert load(folder).info()["dtype"] == "float32"
    assert len(kept(cache)) == 2


@pytest.mark.parametrize("content", ["", "[]", '{"cosine": "high"}', "{}"])
def test_a_damaged_cache_is_written_anew(content: str, folder: Path, cache: Path) -> None:
    load(folder)
    (path,) = cache.glob("*")
    path.write_text(content)
    assert load(folder).info()["dtype"] == "int8"
    assert kept(cache)[0]["cosine"] > 0.97


def test_the_test_can_be_left_out(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_ST_SELF_TEST", "0")
    assert load(save_variants(tmp_path / "model", off=MUCH)).info()["dtype"] == "int8"
    assert not kept(cache)


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder in which nothing can be written."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))


@pytest.mark.usefixtures("no_cache")
def test_where_nothing_can_be_kept(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="edge_st_runtime.machine")
    for _ in range(2):
        assert load(folder).info()["dtype"] == "int8"
    assert [record.levelno for record in caplog.records] == [logging.DEBUG] * 2
    assert "XDG_CACHE_HOME can name another folder" in caplog.messages[0]
    assert load(save_variants(tmp_path / "bad", off=MUCH)).info()["dtype"] == "float32"


@pytest.mark.usefixtures("no_cache")
def test_short_texts_alone_where_nothing_can_be_kept(folder: Path) -> None:
    """The golden vector of the first text is wrong."""
    vectors = -TinyModel().means(TEXTS)
    vectors[1:] *= -1
    for first, dtype in (("x" * 201, "int8"), (TEXTS[0], "float32")):
        write_variants(folder, golden(vectors, [first, *TEXTS[1:]]))
        assert load(folder).info()["dtype"] == dtype


def test_float32_and_files_that_are_asked_for_by_name_are_not_tested(tmp_path: Path, cache: Path) -> None:
    folder = save_variants(tmp_path / "model", off=MUCH)
    assert load(folder, dtype="float32").info()["graph"] == FLOAT32
    assert load(folder, dtype="auto", model_kwargs={"file_name": "model_int8.onnx"}).info()["graph"] == INT8
    assert not kept(cache)


def test_bfloat16_is_tested(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_variants(tmp_path / "model")
    content = json.loads((folder / "edge_st.json").read_text())
    entry = {"file": INT8, "engine": "openvino", "dtype": "bfloat16", "cosine_min": 0.9999}
    write_variants(folder, content["golden"], graphs=[entry, *content["graphs"]])
    monkeypatch.setattr(choosing, "has_bfloat16", lambda: True)
    SentenceTransformer(folder)
    assert [found["variant"] for found in kept(cache)] == [f"{INT8} (openvino, bfloat16)"]


def test_a_graph_that_the_engine_cannot_open_gives_way(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = save_variants(tmp_path / "model")
    unknown_operator(folder / INT8)
    write_variants(folder, json.loads((folder / "edge_st.json").read_text())["golden"])
    assert load(folder).info()["reason"].startswith(f"fell back to {FLOAT32} (onnx, float32): ONNX Runtime cannot load")
    assert "Tanhest" in caplog.records[0].getMessage()
    with pytest.raises(DamagedFileError, match=r"ONNX Runtime cannot load .*Tanhest"):
        load(folder, dtype="auto", model_kwargs={"file_name": INT8})


def test_a_damaged_graph_does_not_give_way(folder: Path) -> None:
    with (folder / INT8).open("r+b") as file:
        file.truncate(100)
    with pytest.raises(DamagedFileError, match=f"{INT8} has 100 bytes, expected"):
        load(folder)


def test_without_a_record_nothing_gives_way(folder: Path) -> None:
    (folder / "edge_st.json").unlink()
    (folder / INT8).write_bytes(b"no graph")
    with pytest.raises(DamagedFileError, match="truncated or not an ONNX file"):
        load(folder)


def test_a_default_prompt_goes_before_the_golden_texts(tmp_path: Path) -> None:
    settings = {"prompts": {"query": "seven small boats on a lake: "}, "default_prompt_name": "query"}
    pooling = ("Pooling", {**MEAN[1], "include_prompt": True}, {})
    model = TinyModel(settings=settings, modules=(pooling,), graph_files=(FLOAT32, INT8))
    graphs = [graph_entry(FLOAT32, "onnx"), graph_entry(INT8, "onnx", "int8", 1.0)]
    for prompt, dtype in (("seven small boats on a lake: ", "int8"), ("", "float32")):
        folder = save_variants(tmp_path / dtype, off=0, model=model, prompt=prompt, graphs=graphs)
        assert load(folder, prompts={"query": "a prompt of the caller's own "}).info()["dtype"] == dtype


@pytest.mark.parametrize(("sign", "dtype"), [(1.0, "int8"), (-1.0, "float32")])
def test_logits_of_pairs(sign: float, dtype: str, tmp_path: Path) -> None:
    ONE.save(tmp_path)
    shutil.copy(tmp_path / FLOAT32, tmp_path / INT8)
    write_variants(tmp_path, golden(sign * ONE.logits(PAIRS), PAIRS), task="text-pair-scoring")
    assert CrossEncoder(tmp_path, backend="onnx", dtype="int8").info()["dtype"] == dtype


@pytest.mark.parametrize(("off", "dtype"), [(0.0, "int8"), (9.0, "float32")])
def test_sparse_vectors(off: float, dtype: str, tmp_path: Path) -> None:
    SPARSE.save(tmp_path)
    shutil.copy(tmp_path / FLOAT32, tmp_path / INT8)
    rows = [{str(place): float(row[place]) for place in row.argsort()[-8:]} for row in SPARSE.weights(TEXTS)]
    rows[0][next(iter(rows[0]))] += off
    vectors = {"prompt_name": None, "task": None, "embeddings": rows}
    write_variants(tmp_path, {"texts": TEXTS, "vectors": [vectors]})
    assert SparseEncoder(tmp_path, backend="onnx", dtype="int8").info()["dtype"] == dtype


@pytest.mark.parametrize("features", ["avx2 fma", "avx2 avx512f", "asimd", ""])
@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_a_cpu_without_int8_instructions_runs_int8_without_a_warning(
    features: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it was asked for, and where the folder has nothing else, as the model of README's first command."""
    monkeypatch.setattr(choosing, "cpu_features", lambda: frozenset(features.split()))
    graphs = [graph_entry(FLOAT32, engine), graph_entry(INT8, engine, "int8", 0.97)]
    both = save_variants(tmp_path / "both", graphs=graphs)
    assert load(both, backend=engine).info()["graph"] == INT8
    alone = save_variants(tmp_path / "alone", graphs=graphs[1:], default_dtype="int8")
    (alone / FLOAT32).unlink()
    info = SentenceTransformer(alone, backend=engine).info()
    assert (info["graph"], info["dtype"]) == (INT8, "int8")
    assert ("OpenVINO is not faster in int8" in info["reason"]) == (
        engine == "openvino" and features in ("avx2 fma", "asimd")
    )
    assert not caplog.records


@pytest.mark.parametrize("features", ["avx2 fma", "avx2 avx512f", "asimd", "asimd asimddp", ""])
def test_the_model_of_the_readme_opens_in_int8_without_a_warning(
    features: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(choosing, "cpu_features", lambda: frozenset(features.split()))
    info = SentenceTransformer(PACKAGED).info()
    assert (info["engine"], info["dtype"]) == ("onnx", "int8")
    assert not caplog.records


@pytest.mark.parametrize(("off", "dtype"), [(0.0, "int8"), (9.0, "float32")])
def test_the_route_of_a_router_that_has_a_graph(off: float, dtype: str, tmp_path: Path, cache: Path) -> None:
    write_inference_free(tmp_path / "model", np.ones(VOCABULARY, dtype=np.float32))
    graphs = tmp_path / "model" / "document_0_Transformer" / "onnx"
    shutil.copy(graphs / "model.onnx", graphs / "model_int8.onnx")
    parts = [
        {"prompt_name": None, "task": "query", "embeddings": SPARSE.weights(TEXTS).tolist()},  # no graph: not run
        {"prompt_name": None, "task": "document", "embeddings": (SPARSE.weights(TEXTS) + off).tolist()},
    ]
    entries = [graph_entry(FLOAT32, "onnx"), graph_entry(INT8, "onnx", "int8", 0.97)]
    write_record(tmp_path / "model", entries, golden={"texts": TEXTS, "vectors": parts})
    routes = SparseEncoder(tmp_path / "model", backend="onnx", dtype="int8")._runner.model.routes
    assert {name: route.choice.dtype for name, route in routes.items()} == {"query": "float32", "document": dtype}
    assert len(kept(cache)) == 1
