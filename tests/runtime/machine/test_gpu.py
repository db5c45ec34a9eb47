"""The names of GPUs, as NVIDIA's driver tells them."""

from pathlib import Path

import pytest

from edge_st_runtime.machine import gpu


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, model in enumerate(("NVIDIA L4", "NVIDIA A10")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 1\n")
    monkeypatch.setattr(gpu, "_NVIDIA", tmp_path)
    assert gpu.gpu_names() == ["NVIDIA L4", "NVIDIA A10"]


def test_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_NVIDIA", tmp_path / "nowhere")
    assert gpu.gpu_names() == []
