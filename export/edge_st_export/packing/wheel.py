"""Build the wheel of a packed model."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from edge_st_runtime.errors import NotAFolderError, PackageMissingError

from ..errors import ExportError
from .project import DEFAULT_VERSION, make_plan, write_project


def pack_wheel(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str] = ".",
    *,
    name: str | None = None,
    version: str = DEFAULT_VERSION,
    graphs: Sequence[str] | None = None,
) -> Path:
    """Write the model ``folder`` as a wheel into the folder ``out``, and return its path.

    The arguments are those of `pack_project`. A wheel of the same name is replaced. The same folder gives the same
    bytes, as long as hatchling, which builds the wheel, is the same release.

    Raises what `pack_project` raises, NotAFolderError where ``out`` is a file, PackageMissingError without hatchling.
    """
    plan, target = make_plan(Path(folder), name, version, graphs), Path(out)
    if target.exists() and not target.is_dir():
        raise NotAFolderError(f"{target} is a file; expected the folder for the wheel")
    if find_spec("hatchling") is None:
        raise PackageMissingError(
            "the wheel is built with hatchling, which is not installed; pip install 'hatchling>=1.27'"
        )
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=f".{plan.name.distribution}.") as temporary:
        project = Path(temporary, "project")
        project.mkdir()
        write_project(project, plan)
        wheel = _build(project, Path(temporary).resolve())
        return wheel.replace(target / wheel.name)


def _build(project: Path, out: Path) -> Path:
    """Build the wheel of ``project`` into ``out`` with hatchling's own command, in a process of its own."""
    command = [sys.executable, "-P", "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    child = subprocess.run(  # noqa: S603 (our own interpreter)
        command, cwd=project, capture_output=True, text=True, errors="replace", check=False
    )
    if child.returncode != 0:
        raise ExportError(f"hatchling could not build the wheel: {child.stderr.strip() or child.stdout.strip()}")
    return next(out.glob("*.whl"))
