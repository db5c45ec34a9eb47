"""The packages that a model needs on Lambda, as wheels of that platform. pip chooses and downloads them."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from edge_st_runtime.errors import PackageMissingError

from ...errors import ExportError
from .platforms import ALL, Platform

#: of edge-st's own requirements, what never runs on Lambda
_LEFT_OUT = {"pyyaml"}  # reads the manifest of supported models, for commands
#: what packages need of others to run. What they ask for beyond that is left out, above all huggingface_hub with its
#: tree, which tokenizers asks for, and protobuf and flatbuffers, which ONNX Runtime asks for
_NEEDED = {"jinja2": ("markupsafe",)}
_MISSING = re.compile(r"No matching distribution found for (\S+)")


def needed(extras: Sequence[str]) -> list[str]:
    """The requirements of edge-st with ``extras``, such as "onnx", as pip takes them."""
    return list(_needed(extras))


def _needed(extras: Sequence[str]) -> Iterator[str]:
    for text in requires("edge-st") or ():
        requirement = Requirement(text)
        marker, name = requirement.marker, requirement.name.lower()
        wanted = marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)
        if wanted and name not in _LEFT_OUT:
            yield f"{name}{requirement.specifier}"
            yield from _NEEDED.get(name, ())


def install(requirements: Sequence[str], platform: Platform, folder: Path) -> None:
    """Install the wheels of ``requirements``, and nothing that these ask for, into ``folder``.

    Raises ExportError where a package has no wheel for ``platform``, and PackageMissingError without pip.
    """
    if find_spec("pip") is None:
        raise PackageMissingError("the wheels are fetched with pip, which is not installed; python -m ensurepip")
    child = _pip(requirements, platform, folder)
    if child.returncode == 0:
        return
    message = child.stderr.strip() or child.stdout.strip()
    missing = _MISSING.search(message)
    if missing is None:
        raise ExportError(f"pip could not install {', '.join(requirements)} for {platform}: {message}")
    name = missing[1]
    others = [str(each) for each in ALL if each != platform and _has_wheel(name, each, folder)]
    raise ExportError(
        f"{name} has no wheel for {platform} (glibc 2.34); "
        + (f"it has one for {', '.join(others)}" if others else "nor for any other platform of Lambda that pip can see")
    )


def _has_wheel(name: str, platform: Platform, folder: Path) -> bool:
    return _pip([name], platform, folder, "--dry-run", "--ignore-installed").returncode == 0


def _pip(
    requirements: Sequence[str], platform: Platform, folder: Path, *options: str
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--no-compile", "--only-binary=:all:", "--target", str(folder), *options]
    command += ["--implementation", "cp", "--python-version", platform.python]
    command += [f"--platform={tag}" for tag in platform.tags]
    return subprocess.run(  # noqa: S603 (our own interpreter)
        [*command, *requirements], capture_output=True, text=True, errors="replace", check=False
    )
