"""Devices by the names that PyTorch, ONNX Runtime and OpenVINO give them. It imports no engine."""

from dataclasses import dataclass

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_IN_PLACE = "pip install {} in place of onnxruntime"
_GPU = _IN_PLACE.format("'edge-st[onnx-gpu]'")


@dataclass(frozen=True)
class Provider:
    """An execution provider of ONNX Runtime.

    ``devices`` are the names that stand for it; with ``numbered`` they may have an index, as "cuda:1". ``brought_by``
    is the command for an onnxruntime that has it. ``helpers`` run the operators that it lacks, before the CPU does.
    """

    name: str
    devices: tuple[str, ...]
    brought_by: str
    numbered: bool = True
    helpers: tuple[str, ...] = ()


#: Source of the packages: https://onnxruntime.ai/docs/install
PROVIDERS = (
    Provider(CPU, ("cpu",), "pip install 'edge-st[onnx]'", numbered=False),
    Provider(CUDA, ("cuda",), _GPU),
    Provider("TensorrtExecutionProvider", ("tensorrt",), f"{_GPU}, and: pip install tensorrt-cu12", helpers=(CUDA,)),
    Provider("MIGraphXExecutionProvider", ("migraphx", "rocm"), _IN_PLACE.format("onnxruntime-migraphx")),
    Provider("ROCMExecutionProvider", ("rocm",), _IN_PLACE.format("onnxruntime-rocm")),
    Provider("DmlExecutionProvider", ("dml", "directml"), f"{_IN_PLACE.format('onnxruntime-directml')} (on Windows)"),
    Provider(
        "CoreMLExecutionProvider",
        ("mps", "coreml"),
        "pip install -U 'edge-st[onnx]' (on macOS, where it is part of onnxruntime)",
        numbered=False,
    ),
    Provider(
        "QNNExecutionProvider",
        ("qnn",),
        f"{_IN_PLACE.format(chr(39) + 'onnxruntime-qnn<2' + chr(39))} (on Windows for Arm)",
        numbered=False,
    ),
    Provider("CANNExecutionProvider", ("cann",), f"{_IN_PLACE.format('onnxruntime-cann')} (on Linux)"),
    Provider("OpenVINOExecutionProvider", (), _IN_PLACE.format("onnxruntime-openvino"), numbered=False),
)
#: what other names mean to OpenVINO
_OPENVINO = {"xpu": "GPU"}
#: devices that OpenVINO alone has
_OF_OPENVINO = ("gpu", "npu", "xpu")
ONNX_DEVICES = tuple(dict.fromkeys(device for each in PROVIDERS for device in each.devices))


def split_device(device: str) -> tuple[str, str]:
    """The name and the index of a device such as "cuda:1"; the index is "" where there is none."""
    name, _, index = device.lower().partition(":")
    return name, index


def engine_of(device: str | None) -> str | None:
    """The engine that alone has ``device``; None for the CPU and where it is not known."""
    name = split_device(device or "cpu")[0].partition(".")[0]
    if name in _OF_OPENVINO:
        return "openvino"
    return "onnx" if name in ONNX_DEVICES and name != "cpu" else None


def openvino_device(device: str | None) -> str:
    """The device as OpenVINO calls it: "gpu:1" and "xpu:1" are GPU.1, "npu" is NPU."""
    name, index = split_device(device or "cpu")
    known = _OPENVINO.get(name, name.upper())
    return f"{known}.{index}" if index.isdecimal() else known if not index else f"{known}:{index.upper()}"
