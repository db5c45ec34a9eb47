"""Devices by the names that PyTorch, ONNX Runtime and OpenVINO give them."""

from typing import Any

import pytest

from edge_st_runtime.engines import ort_sessions
from edge_st_runtime.engines.backend import EngineOptions
from edge_st_runtime.engines.devices import CPU, CUDA, PROVIDERS, engine_of, openvino_device
from edge_st_runtime.engines.ort_sessions import providers
from edge_st_runtime.errors import OptionError

TENSORRT, MIGRAPHX, ROCM = "TensorrtExecutionProvider", "MIGraphXExecutionProvider", "ROCMExecutionProvider"
QUICK = {"use_tf32": "0"}


@pytest.fixture(autouse=True)
def everything(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """An onnxruntime with every provider; returns their names, which a test may take away."""
    names = {provider.name for provider in PROVIDERS} | {"AProviderOfOnesOwn"}
    monkeypatch.setattr(ort_sessions, "offers", names.__contains__)
    return names


@pytest.mark.parametrize(
    ("options", "chain"),
    [
        ({}, [(CPU, {})]),
        ({"device": "cuda"}, [(CUDA, QUICK), (CPU, {})]),
        ({"device": "CUDA:1"}, [(CUDA, {"device_id": "1", **QUICK}), (CPU, {})]),
        ({"device": "cuda", "dtype": "float16"}, [(CUDA, {}), (CPU, {})]),
        ({"device": "cuda", "provider_options": {"use_tf32": "1"}}, [(CUDA, {"use_tf32": "1"}), (CPU, {})]),
        (
            {"device": "tensorrt:2", "provider_options": {"trt_fp16_enable": True}},
            [(TENSORRT, {"device_id": "2", "trt_fp16_enable": True}), (CUDA, {"device_id": "2"}), (CPU, {})],
        ),
        ({"device": "dml:1"}, [("DmlExecutionProvider", {"device_id": "1"}), (CPU, {})]),
        ({"device": "mps"}, [("CoreMLExecutionProvider", {}), (CPU, {})]),
        ({"device": "rocm"}, [(MIGRAPHX, {}), (CPU, {})]),
        (
            {"device": "qnn", "provider_options": {"backend_path": "QnnHtp.dll"}},
            [("QNNExecutionProvider", {"backend_path": "QnnHtp.dll"}), (CPU, {})],
        ),
        ({"provider": "AProviderOfOnesOwn"}, [("AProviderOfOnesOwn", {}), (CPU, {})]),
        ({"provider": CUDA, "device": "cuda:3"}, [(CUDA, {"device_id": "3", **QUICK}), (CPU, {})]),
    ],
    ids=str,
)
def test_providers_and_their_settings(options: dict[str, Any], chain: list[Any]) -> None:
    assert providers(EngineOptions(num_threads=1, **options)) == chain


def test_what_is_not_there_does_not_help(everything: set[str]) -> None:
    everything.remove(CUDA)
    assert providers(EngineOptions(num_threads=1, device="tensorrt")) == [(TENSORRT, {}), (CPU, {})]
    everything.remove(MIGRAPHX)
    assert providers(EngineOptions(num_threads=1, device="rocm")) == [(ROCM, {}), (CPU, {})]


@pytest.mark.parametrize("device", ["coreml:1", "cuda:first", "qnn:0"])
def test_a_number_that_means_nothing(device: str) -> None:
    with pytest.raises(OptionError, match=f"device is '{device}'; expected a name of"):
        providers(EngineOptions(num_threads=1, device=device))


@pytest.mark.parametrize(
    ("device", "engine", "in_openvino"),
    [
        (None, None, "CPU"),
        ("cpu", None, "CPU"),
        ("cuda:1", "onnx", "CUDA.1"),
        ("gpu", "openvino", "GPU"),
        ("gpu:1", "openvino", "GPU.1"),
        ("GPU.1", "openvino", "GPU.1"),
        ("xpu:0", "openvino", "GPU.0"),
        ("npu", "openvino", "NPU"),
        ("hetero:gpu,cpu", None, "HETERO:GPU,CPU"),
        ("somewhere", None, "SOMEWHERE"),
    ],
)
def test_engines_and_names(device: str | None, engine: str | None, in_openvino: str) -> None:
    assert engine_of(device) == engine
    assert openvino_device(device) == in_openvino
