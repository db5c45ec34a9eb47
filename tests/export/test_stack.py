"""Installed versions that do not fit each other, which an export names before it loads anything."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from edge_st_export.stack import version_of


def distribution(folder: Path, name: str, number: str, *requirements: str) -> None:
    """The metadata of an installed distribution, below ``folder``."""
    metadata = folder / f"{name.replace('-', '_')}-{number}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {number}"]
    metadata.write_text("\n".join([*lines, *(f"Requires-Dist: {each}" for each in requirements), ""]), encoding="utf-8")


def export(model: Path, out: Path, first: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Export in a process of its own, which looks for packages in the folder ``first`` before all others."""
    path = os.pathsep.join([str(first), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "edge_st", "export", str(model), str(out), "--quiet", *options]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)


def test_a_package_that_asks_for_another_version(small_folder: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    distribution(packages, "optimum-onnx", "0.1.0", "transformers<4.0", 'torch>99; extra == "never"')
    found = export(small_folder, tmp_path / "out", packages)
    assert found.returncode == 1
    assert found.stderr == (
        f"edge-st: error: optimum-onnx 0.1.0 needs transformers<4.0, found {version('transformers')}; "
        "an export can do without optimum-onnx: pip uninstall --yes optimum-onnx\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_torchvision_of_another_build(small_folder: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    (packages / "torchvision").mkdir(parents=True)
    reason = "operator torchvision::nms does not exist"
    (packages / "torchvision" / "__init__.py").write_text(f"raise RuntimeError({reason!r})", encoding="utf-8")
    distribution(packages, "torchvision", "0.28.0", f"torch=={version('torch').partition('+')[0]}")
    found = export(small_folder, tmp_path / "out", packages)
    assert found.returncode == 1
    assert found.stderr == (
        f"edge-st: error: torchvision 0.28.0 does not load with torch {version('torch')} ({reason}); "
        "an export can do without torchvision: pip uninstall --yes torchvision\n"
    )


@pytest.mark.skipif(version_of("optimum-intel") is not None, reason="optimum-intel is installed")
def test_without_what_exports_to_openvino(small_folder: Path, tmp_path: Path) -> None:
    found = export(small_folder, tmp_path / "out", tmp_path)
    assert found.returncode == 1
    assert "optimum-intel, which is not installed" in found.stderr
    assert "--engine onnx" in found.stderr
    assert export(small_folder, tmp_path / "out", tmp_path, "--engine", "onnx").returncode == 0
