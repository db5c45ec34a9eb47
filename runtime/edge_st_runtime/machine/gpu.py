"""The GPUs of this machine by name."""

from pathlib import Path

_NVIDIA = Path("/proc/driver/nvidia/gpus")


def gpu_names() -> list[str]:
    """The models of NVIDIA's GPUs, as its driver on Linux tells them; empty where it does not."""
    try:
        files = sorted(_NVIDIA.glob("*/information"))
        lines = [line for path in files for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
