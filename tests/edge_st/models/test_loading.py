"""Which engine and graph a model opens with, and what it says where that cannot be."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import EdgeSTError, SentenceTransformer
from edge_st.models.options import load_options, tokenizer_limit
from edge_st_runtime.errors import EngineMissingError, OptionError, ProviderError
from edge_st_runtime.machine import memory
from edge_st_runtime.machine import threads as machine_threads
from edge_st_runtime.model import choosing
from tests.support.tiny_models import TinyModel, graph_entry, write_record
from tests.support.tiny_tokenizers import random_texts

TEXTS = random_texts(20)


def options(**given: Any) -> Any:
    defaults = {"backend": "auto", "dtype": "auto", "device": None, "provider": None, "num_threads": None}
    return load_options(**{**defaults, "model_kwargs": None, **given})


@pytest.mark.parametrize(
    ("given", "attribute", "expected"),
    [
        ({"backend": "torch"}, "backend", "auto"),
        ({"backend": "onnx"}, "backend", "onnx"),
        ({"provider": "CPUExecutionProvider"}, "backend", "onnx"),
        ({"device": "cuda:1"}, "backend", "onnx"),
        ({"backend": "openvino", "device": "cuda"}, "backend", "openvino"),
        ({"device": "gpu"}, "backend", "openvino"),
        ({"device": "npu"}, "backend", "openvino"),
        ({"device": "xpu:0"}, "backend", "openvino"),
        ({"device": "dml"}, "backend", "onnx"),
        ({"device": "cpu"}, "backend", "auto"),
        ({"model_kwargs": {"torch_dtype": "float16"}}, "dtype", "float16"),
        ({"model_kwargs": {"dtype": "torch.bfloat16"}}, "dtype", "bfloat16"),
        ({"dtype": "int8", "model_kwargs": {"torch_dtype": "int8"}}, "dtype", "int8"),
        ({"model_kwargs": {"provider": "CPUExecutionProvider"}}, "provider", "CPUExecutionProvider"),
        ({"model_kwargs": {"device": "gpu"}}, "device", "gpu"),
        ({"model_kwargs": {"file_name": "model_O3.onnx"}}, "file_name", "model_O3.onnx"),
        ({"model_kwargs": {"file_name": "a.onnx", "subfolder": "onnx"}}, "file_name", "onnx/a.onnx"),
        ({"model_kwargs": {"ov_config": {"A": 1}, "provider_options": {"B": 2}}}, "provider_options", {"A": 1, "B": 2}),
        ({"model_kwargs": {"export": False}}, "file_name", None),
    ],
)
def test_options(given: dict[str, Any], attribute: str, expected: Any) -> None:
    assert getattr(options(**given), attribute) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model_kwargs": {"export": True}}, "export=True needs torch; export on a build machine.*: edge-st export"),
        ({"model_kwargs": {"attn_implementation": "sdpa"}}, r"\['attn_implementation'\] only mean something to torch"),
        ({"model_kwargs": {"filename": "x"}}, r"\['filename'\] are not known; expected device, file_name"),
        ({"model_kwargs": {"subfolder": "onnx"}}, "subfolder='onnx' without file_name"),
        ({"model_kwargs": {"ov_config": "fast"}}, r"ov_config is 'fast'; expected a dictionary"),
        ({"dtype": "int8", "model_kwargs": {"dtype": "float32"}}, r"dtype is given twice: \['float32', 'int8'\]"),
        ({"device": "cpu", "model_kwargs": {"device": "gpu"}}, "device is given twice"),
    ],
)
def test_options_that_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        options(**given)


def test_low_memory_fills_in_what_was_left_open(tiny_folder: Path) -> None:
    info = SentenceTransformer(tiny_folder, low_memory=True).info()
    assert (info["engine"], info["threads"]) == ("onnx", 1)
    found = options(low_memory=True, backend="openvino", num_threads=2, model_kwargs={"token_budget": 32})
    assert (found.backend, found.num_threads, found.token_budget) == ("openvino", 2, 32)


@pytest.mark.parametrize(
    ("megabytes", "given", "threads"), [(400, {}, 4), (400, {"low_memory": False}, 16), (2000, {}, 16), (None, {}, 16)]
)
def test_little_memory_is_saved_by_itself(
    megabytes: int | None, given: dict[str, bool], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "usable_memory", lambda: None if megabytes is None else megabytes * 2**20)
    monkeypatch.setattr(machine_threads, "available_cores", lambda: 16)
    monkeypatch.delenv(machine_threads.VARIABLE, raising=False)
    found = options(**given)
    assert (found.num_threads or 16, found.token_budget) == (threads, 128 if threads == 4 else None)


def test_processor_options() -> None:
    assert tokenizer_limit({"model_max_length": 5}) == 5
    assert tokenizer_limit(None) is None
    with pytest.raises(OptionError, match=r"processor_kwargs \['use_fast'\] are not known; expected model_max_length"):
        tokenizer_limit({"use_fast": True})


def test_info(model: SentenceTransformer, tiny_folder: Path, engine: str) -> None:
    info = model.info()
    assert info["path"] == str(tiny_folder)
    assert (info["engine"], info["graph"], info["dtype"], info["threads"]) == (engine, "onnx/model.onnx", "float32", 2)
    assert (info["dimension"], info["max_seq_length"], info["similarity"]) == (12, 24, "cosine")
    assert info["fingerprint"] == model.fingerprint


RECORDED = [
    graph_entry("onnx/model_qint8.onnx", "onnx", "int8", cosine_min=0.98),
    graph_entry("onnx/model.onnx", "openvino", "float32", cosine_min=0.9999),
    graph_entry("onnx/model_O3.onnx", "onnx", cosine_min=0.999999),
]


@pytest.mark.parametrize(
    ("given", "graph", "engine"),
    [
        ({}, "onnx/model.onnx", "openvino"),
        ({"backend": "onnx"}, "onnx/model_O3.onnx", "onnx"),
        ({"provider": "CPUExecutionProvider"}, "onnx/model_O3.onnx", "onnx"),
        ({"dtype": "int8"}, "onnx/model_qint8.onnx", "onnx"),
        ({"backend": "torch", "model_kwargs": {"torch_dtype": "float32"}}, "onnx/model.onnx", "openvino"),
        ({"model_kwargs": {"file_name": "model.onnx"}}, "onnx/model.onnx", "onnx"),
    ],
    ids=str,
)
def test_recorded_graphs(
    given: dict[str, Any], graph: str, engine: str, tiny: TinyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "cpu_features", lambda: frozenset({"avx_vnni"}))
    files = ("onnx/model.onnx", "onnx/model_O3.onnx", "onnx/model_qint8.onnx")
    folder = TinyModel(graph_files=files).save(tmp_path)
    write_record(folder, RECORDED, golden={"texts": [], "vectors": []})
    model = SentenceTransformer(folder, **given)
    assert (model.info()["graph"], model.info()["engine"]) == (graph, engine)
    np.testing.assert_allclose(model.encode(TEXTS), tiny.means(TEXTS), atol=2e-6)


def test_fingerprint_of_a_record_does_not_depend_on_the_graph(tmp_path: Path) -> None:
    folder = TinyModel(graph_files=("onnx/model.onnx", "onnx/model_O3.onnx")).save(tmp_path)
    write_record(folder, RECORDED)
    by_engine = {SentenceTransformer(folder, backend=name).fingerprint for name in ("onnx", "openvino")}
    assert len(by_engine) == 1


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"backend": "tensorflow"}, OptionError, "backend is 'tensorflow'; expected 'auto', 'onnx', 'openvino'"),
        ({"dtype": "float8"}, OptionError, "dtype is 'float8'; expected one of 'auto', 'float32'"),
        ({"dtype": "float16"}, OptionError, "slower than float32 on a CPU"),
        ({"num_threads": 0}, OptionError, "num_threads is 0"),
        ({"truncate_dim": 1.5}, OptionError, "truncate_dim must be a positive integer, got 1.5"),
        ({"prompts": ["query: "]}, OptionError, "expected names with their prompts"),
        (
            {"backend": "onnx", "provider": "CUDAExecutionProvider"},
            ProviderError,
            "CUDAExecutionProvider is not in this",
        ),
        ({"backend": "onnx", "device": "cuda"}, ProviderError, r"pip install 'edge-st\[onnx-gpu\]'"),
        ({"backend": "openvino", "device": "npu"}, ProviderError, "OpenVINO device 'NPU' is not available"),
        ({"model_kwargs": {"file_name": "model_O9.onnx"}}, FileNotFoundError, "it has onnx/model.onnx"),
        (
            {"dtype": "int8"},
            FileNotFoundError,
            "no graph for backend='auto', dtype='int8'.*the model has onnx/model.onnx",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_loaded(given: dict[str, Any], error: type[Exception], message: str, tiny_folder: Path) -> None:
    with pytest.raises(error, match=message) as raised:
        SentenceTransformer(tiny_folder, **given)
    assert isinstance(raised.value, EdgeSTError)


def test_misspelt_argument(tiny_folder: Path) -> None:
    with pytest.raises(TypeError, match=r"num_thread"):
        SentenceTransformer(tiny_folder, num_thread=2)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("onnx/model.onnx", "the model has no graph at all.*edge-st export"),
        ("tokenizer.json", r"tokenizer.json is missing; export the model, which also converts a vocab.txt"),
        ("1_Pooling/config.json", r"config.json is missing"),
    ],
)
def test_missing_files(missing: str, message: str, tmp_path: Path) -> None:
    (TinyModel().save(tmp_path) / missing).unlink()
    with pytest.raises(FileNotFoundError, match=message):
        SentenceTransformer(tmp_path)


def test_no_engine_installed(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "installed_engines", list)
    with pytest.raises(EngineMissingError, match=r"pip install 'edge-st\[onnx\]' or 'edge-st\[openvino\]'"):
        SentenceTransformer(tiny_folder)


@pytest.mark.parametrize(("name", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_named_engine_not_installed(
    name: str, package: str, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_spec(asked: str) -> Any:
        return None if asked == package else builtins.object()

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    with pytest.raises(ImportError, match=rf"backend '{name}' needs {package}.*pip install 'edge-st\[{name}\]'"):
        SentenceTransformer(tiny_folder, backend=name)


def test_idle_arguments(tiny_folder: Path, tiny: TinyModel) -> None:
    model = SentenceTransformer(tiny_folder, trust_remote_code=True, token="x", revision="main", local_files_only=True)
    assert model.eval() is model.to("cpu") is model
    assert model.device == "cpu"
    with pytest.raises(ValueError, match=r"device='cuda', but the model is on 'cpu'"):
        model.to("cuda")
    np.testing.assert_allclose(model.encode(TEXTS), tiny.means(TEXTS), atol=2e-6)
    assert repr(model) == f"SentenceTransformer({str(tiny_folder)!r}, onnx, float32)"


def test_settings_of_openvino_may_be_a_file(tiny_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "ov_config.json"
    file.write_text('{"NUM_STREAMS": "1"}')
    found, expected = (
        SentenceTransformer(tiny_folder, backend="openvino", model_kwargs={"ov_config": settings})
        for settings in (str(file), {"NUM_STREAMS": "1"})
    )
    assert found.info() == expected.info()
    with pytest.raises(OptionError, match=r"ov_config is '.*absent\.json'; expected a dictionary, or a JSON file"):
        SentenceTransformer(tiny_folder, model_kwargs={"ov_config": str(tmp_path / "absent.json")})
