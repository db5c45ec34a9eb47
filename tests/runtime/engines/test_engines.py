"""Both engines on real graphs: their results, their info, and their errors."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines.backend import EngineOptions, installed_engines, open_backend
from edge_st_runtime.errors import (
    DamagedFileError,
    EngineError,
    MissingFileError,
    OptionError,
    ProviderError,
    UnsupportedModelError,
)
from edge_st_runtime.machine.cpu import has_bfloat16
from edge_st_runtime.model.batching import pad_batch
from tests.support.tiny_graphs import HIDDEN, TinyGraph

IDS = [[5, 6, 7, 8, 9], [10], [11, 12, 13]]
TYPES = [[0, 0, 1, 1, 1], [0], [0, 1, 1]]
INPUTS = ("input_ids", "attention_mask")
GRAPHS = {
    "BERT": TinyGraph(),
    "without types": TinyGraph(INPUTS),
    "positions": TinyGraph((*INPUTS, "position_ids")),
    "int32": TinyGraph(dtype=TensorProto.INT32),
    "text_embeds": TinyGraph(outputs={"text_embeds": "tokens"}),
    "two outputs": TinyGraph(outputs={"sentence_embedding": "mean", "token_embeddings": "tokens"}),
}


def batch(pad_left: bool) -> TokenBatch:
    ids, types = ([np.array(row, dtype=np.int32) for row in rows] for rows in (IDS, TYPES))
    return pad_batch(ids, types, 1, pad_left)


@pytest.mark.parametrize("pad_left", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
def test_token_embeddings_of_a_padded_batch(graph: TinyGraph, pad_left: bool, engine: str, tmp_path: Path) -> None:
    backend = open_backend(engine, graph.save(tmp_path / "model.onnx"), EngineOptions(num_threads=2))
    found = backend.run(batch(pad_left))
    assert backend.meaning == "token_embeddings"
    assert backend.output in graph.outputs
    assert found.shape == (3, 5, HIDDEN)
    assert found.dtype == np.float32
    mask = batch(pad_left).attention_mask.astype(bool)
    for own, ids, types in zip((row[kept] for row, kept in zip(found, mask, strict=True)), IDS, TYPES, strict=True):
        np.testing.assert_allclose(own, graph.tokens(ids, types), atol=1e-6)


@pytest.mark.parametrize("num_threads", [2, 4])
def test_batches_at_the_same_time(num_threads: int, engine: str, tmp_path: Path) -> None:
    graph = onnx.load(TinyGraph().save(tmp_path / "model.onnx"))
    onnx.save_model(graph, tmp_path / "mapped.onnx", save_as_external_data=True, location="mapped.onnx_data")
    backend = open_backend(engine, tmp_path / "mapped.onnx", EngineOptions(num_threads=num_threads))
    assert backend.concurrency == num_threads
    wanted = backend.run(batch(False))
    with ThreadPoolExecutor(8) as callers:
        for found in callers.map(lambda number: backend.run(replace(batch(False), alone=number % 3 == 0)), range(200)):
            np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_batches_at_the_same_time_report_their_own_errors(tmp_path: Path) -> None:
    backend = open_backend("onnx", TinyGraph().save(tmp_path / "model.onnx"), EngineOptions(num_threads=2))
    good = batch(False)
    bad = replace(good, input_ids=good.input_ids + 10**6)

    def fails(unknown: TokenBatch) -> bool:
        try:
            backend.run(unknown)
        except EngineError:
            return True
        return False

    with ThreadPoolExecutor(4) as callers:
        assert list(callers.map(fails, [bad, good] * 50)) == [True, False] * 50


@pytest.mark.parametrize("length", [31, 33, 40, 41])
def test_long_batches_lose_no_token_and_gain_none(length: int, engine: str, tmp_path: Path) -> None:
    backend = open_backend(engine, TinyGraph().save(tmp_path / "model.onnx"), EngineOptions(num_threads=1))
    rows = [list(range(5, 5 + length)), [6]]
    found = backend.run(pad_batch([np.array(row, dtype=np.int32) for row in rows], None, 1, False))
    assert found.shape == (2, length, HIDDEN)
    np.testing.assert_allclose(found[0], TinyGraph().tokens(rows[0], [0] * length), atol=1e-6)


def test_graph_that_pools(engine: str, tmp_path: Path) -> None:
    graph = TinyGraph(outputs={"pooler_output": "first", "sentence_embedding": "mean"})
    backend = open_backend(engine, graph.save(tmp_path / "model.onnx"), EngineOptions(num_threads=1))
    assert (backend.meaning, backend.output) == ("sentence_embedding", "sentence_embedding")
    expected = [graph.tokens(ids, types).mean(axis=0) for ids, types in zip(IDS, TYPES, strict=True)]
    np.testing.assert_allclose(backend.run(batch(False)), expected, atol=1e-6)


@pytest.mark.parametrize("outputs", [{"pooler_output": "first"}, {"logits": "first"}])
def test_graph_without_an_embedding(outputs: dict[str, str], engine: str, tmp_path: Path) -> None:
    path = TinyGraph(outputs=outputs).save(tmp_path / "model.onnx")
    with pytest.raises(UnsupportedModelError, match=r"model.onnx has the outputs"):
        open_backend(engine, path, EngineOptions(num_threads=1))


def test_info(engine: str, tmp_path: Path) -> None:
    info = open_backend(engine, TinyGraph().save(tmp_path / "model.onnx"), EngineOptions(num_threads=3)).info()
    assert (info["engine"], info["threads"]) == (engine, 3)
    assert info["providers"] == [{"onnx": "CPUExecutionProvider", "openvino": "CPU"}[engine]]
    assert info["engine_version"][0].isdigit()


def test_results_stay_when_the_next_batch_runs(engine: str, tmp_path: Path) -> None:
    backend = open_backend(engine, TinyGraph().save(tmp_path / "model.onnx"), EngineOptions(num_threads=1))
    first = backend.run(batch(False))
    kept = first.copy()
    backend.run(batch(True))
    np.testing.assert_array_equal(first, kept)


def test_idle_process_uses_no_cpu(engine: str, tmp_path: Path) -> None:
    backend = open_backend(engine, TinyGraph().save(tmp_path / "model.onnx"), EngineOptions(num_threads=2))
    for _ in range(20):
        backend.run(batch(False))
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1


@pytest.mark.skipif(not has_bfloat16(), reason="this CPU has no bfloat16")
def test_bfloat16(tmp_path: Path) -> None:
    options = EngineOptions(num_threads=1, dtype="bfloat16")
    found = open_backend("openvino", TinyGraph().save(tmp_path / "model.onnx"), options).run(batch(False))
    np.testing.assert_allclose(found[0], TinyGraph().tokens(IDS[0], TYPES[0]), atol=0.05)


@pytest.mark.parametrize("kept", [0, 1, 100, 20_000])
def test_truncated_graph(kept: int, engine: str, tmp_path: Path) -> None:
    path = TinyGraph().save(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DamagedFileError, match=rf"(?s)model.onnx \({kept} bytes\).*edge-st export"):
        open_backend(engine, path, EngineOptions(num_threads=1))


def test_missing_graph(engine: str, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"model.onnx is missing"):
        open_backend(engine, tmp_path / "model.onnx", EngineOptions(num_threads=1))


def test_openvino_without_its_weights(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    openvino.save_model(openvino.Core().read_model(TinyGraph().save(tmp_path / "model.onnx")), tmp_path / "m.xml")
    (tmp_path / "m.bin").unlink()
    with pytest.raises(DamagedFileError, match=r"(?s)m.xml .*\.bin beside the \.xml too"):
        open_backend("openvino", tmp_path / "m.xml", EngineOptions(num_threads=1))


def test_failure_while_running(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    backend = open_backend("onnx", TinyGraph().save(tmp_path / "model.onnx"), EngineOptions(num_threads=1))
    with pytest.raises(EngineError, match=r"ONNX Runtime failed on a batch of shape \(1, 2\)"):
        backend.run(TokenBatch(np.array([[5, 10**6]]), np.array([[1, 1]])))
    assert capfd.readouterr().err == ""  # the log would show the model's names as they are


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("onnx", {"provider": "CUDAExecutionProvider"}, ProviderError, r"CUDAExecutionProvider.*edge-st\[onnx-gpu\]"),
        ("onnx", {"provider": "NoSuchProvider"}, ProviderError, "NoSuchProvider is not in this onnxruntime.*CPUExec"),
        ("onnx", {"device": "cuda:1"}, ProviderError, "CUDAExecutionProvider is not in this onnxruntime"),
        ("onnx", {"device": "tensorrt"}, ProviderError, "TensorrtExecutionProvider.*tensorrt-cu12"),
        ("onnx", {"device": "rocm"}, ProviderError, "MIGraphXExecutionProvider.*onnxruntime-migraphx in place"),
        ("onnx", {"device": "dml:1"}, ProviderError, "DmlExecutionProvider.*onnxruntime-directml.*Windows"),
        ("onnx", {"device": "mps"}, ProviderError, "CoreMLExecutionProvider.*macOS"),
        ("onnx", {"device": "qnn"}, ProviderError, "QNNExecutionProvider.*onnxruntime-qnn"),
        ("onnx", {"device": "cpu:3"}, OptionError, "device is 'cpu:3'; expected .* without a number"),
        (
            "onnx",
            {"device": "tpu"},
            OptionError,
            "device is 'tpu'; ONNX Runtime takes cpu, cuda, tensorrt.* or provider=",
        ),
        ("openvino", {"device": "gpu"}, ProviderError, "OpenVINO device 'GPU' is not available; found CPU"),
        ("openvino", {"device": "xpu:1"}, ProviderError, "OpenVINO device 'GPU.1' is not available; found CPU"),
        ("openvino", {"provider": "CPUExecutionProvider"}, OptionError, "names an ONNX Runtime provider"),
        ("openvino", {"provider_options": {"NOPE": 1}}, OptionError, r"ov_config is \{'NOPE': 1\}, which.*NOPE by CPU"),
    ],
)
def test_devices_that_are_not_here(
    name: str, options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = TinyGraph().save(tmp_path / "model.onnx")
    with pytest.raises(error, match=message):
        open_backend(name, path, EngineOptions(num_threads=1, **options))


def test_explicit_cpu_provider_and_session_options(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = 1
    options = EngineOptions(num_threads=2, provider="CPUExecutionProvider", session_options=session_options)
    backend = open_backend("onnx", TinyGraph().save(tmp_path / "model.onnx"), options)
    assert backend.info()["providers"] == ["CPUExecutionProvider"]


def test_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed_engines() == ["onnx", "openvino"]
    with pytest.raises(OptionError, match=r"backend is 'tvm'; expected 'auto', 'onnx', 'openvino'"):
        open_backend("tvm", Path("model.onnx"), EngineOptions(num_threads=1))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert installed_engines() == []


def test_openvino_keeps_what_it_compiled(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    graph, cache = TinyGraph().save(tmp_path / "model.onnx"), tmp_path / "new" / "cache"
    options = EngineOptions(num_threads=1, provider_options={"CACHE_DIR": str(cache)})
    first, second = (open_backend("openvino", graph, options).run(batch(False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len(list(cache.glob("*.blob"))) == 1


@pytest.mark.parametrize(
    ("settings", "large", "streams"),
    [({}, False, [1, 4]), ({"NUM_STREAMS": "2"}, False, [4]), ({}, True, [2])],
    ids=["by need", "streams named", "large"],
)
def test_openvino_compiles_for_a_batch_alone_and_when_needed_for_many(
    settings: dict[str, str], large: bool, streams: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openvino = pytest.importorskip("openvino")
    from edge_st_runtime.engines import ov

    compiled, compile_ = [], ov._compile
    monkeypatch.setattr(ov, "_compile", lambda *args: (compiled.append(args[-1]), compile_(*args))[1])
    monkeypatch.setattr(ov, "_LARGE", 0 if large else 2**20)
    openvino.save_model(openvino.Core().read_model(TinyGraph().save(tmp_path / "model.onnx")), tmp_path / "model.xml")
    options = EngineOptions(num_threads=4, provider_options=settings)
    backend = open_backend("openvino", tmp_path / "model.xml", options)
    alone = backend.run(replace(batch(False), alone=True))
    assert compiled == streams[:1]
    np.testing.assert_allclose(backend.run(batch(False)), alone, atol=1e-6)
    assert compiled == streams
    assert backend.concurrency == streams[-1]


def test_openvino_runs_what_it_loaded_whatever_becomes_of_the_files(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    openvino.save_model(openvino.Core().read_model(TinyGraph().save(tmp_path / "model.onnx")), tmp_path / "model.xml")
    backend = open_backend("openvino", tmp_path / "model.xml", EngineOptions(num_threads=2))
    alone = backend.run(replace(batch(False), alone=True))
    for file in tmp_path.iterdir():
        file.unlink()
    np.testing.assert_allclose(backend.run(batch(False)), alone, atol=1e-6)


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_openvino_cache_where_nothing_can_be_written(name: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    (tmp_path / "file").touch()
    options = EngineOptions(num_threads=1, provider_options={"CACHE_DIR": str(tmp_path / name)})
    with pytest.raises(OptionError, match=r"CACHE_DIR is '.*file.*expected a folder"):
        open_backend("openvino", TinyGraph().save(tmp_path / "model.onnx"), options)
