"""Byte code for the modules in a layer: where nothing can be written, Python would compile them at every cold start."""

import shutil
import subprocess
import sys
from pathlib import Path

from ...errors import ExportError


def find_python(version: str) -> str | None:
    """A Python of this ``version``, such as "3.13": this one or one on the PATH; None where there is none."""
    for path in (sys.executable, shutil.which(f"python{version}")):
        if path is not None and _version(path) == version:
            return path
    return None


def compile_modules(folder: Path, python: str, place: str) -> None:
    """Compile all modules in ``folder`` with the interpreter ``python``; ``place`` is where they will lie.

    The byte code is valid whatever times the unpacked files have. Raises ExportError where a module does not compile.
    """
    command = [python, "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    child = subprocess.run(  # noqa: S603 (an interpreter that was asked for its version)
        [*command, "-s", str(folder), "-p", place, str(folder)], capture_output=True, text=True, check=False
    )
    if child.returncode != 0:
        raise ExportError(f"{python} could not compile the modules: {child.stdout.strip() or child.stderr.strip()}")


def _version(python: str) -> str:
    command = [python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
