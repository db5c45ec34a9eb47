"""The Markdown of ``edge-st bench --report``: the machine, the versions and the figures, without names of people."""

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_st_runtime.machine.cpu import cpu_features, cpu_name
from edge_st_runtime.machine.threads import available_cores

from ..memory import megabytes
from ..version import __version__
from .bench_and_tune import HEAD, cells
from .probes import installed_version

if TYPE_CHECKING:
    from ..speed.measuring import Row

_PACKAGES = ("numpy", "tokenizers", "onnxruntime", "openvino")
#: what the firmware of ARM boards, and of PCs, calls them
_BOARDS = (Path("/proc/device-tree/model"), Path("/sys/class/dmi/id/product_name"))


def bench_report(model: str, rows: "Sequence[Row]") -> str:
    """A list of facts, and a table with a line for each row of the ``model``."""
    facts = [f"- {name}: {value}" for name, value in _facts(model) if value]
    lines = [HEAD, ["---"] * len(HEAD), *(cells(row) for row in rows)]
    return "\n".join([*facts, "", *(f"| {' | '.join(line)} |" for line in lines)])


def _facts(model: str) -> Iterator[tuple[str, str]]:
    yield "model", model
    yield "board", _board()
    yield "CPU", cpu_name()
    yield "CPU features", " ".join(sorted(cpu_features()))
    yield "cores", f"{os.cpu_count()}, of which {available_cores()} may be used"
    yield "memory", _memory()
    yield "system", f"{_system()}, {platform.machine()}, kernel {platform.release()}, {' '.join(platform.libc_ver())}"
    versions = [(name, installed_version(name)) for name in _PACKAGES]
    installed = [f"{name} {version}" for name, version in versions if version is not None]
    yield "versions", ", ".join([f"edge-st {__version__}", f"Python {platform.python_version()}", *installed])


def _board() -> str:
    found = [_text(path).strip("\0\n ") for path in _BOARDS]
    return next(filter(None, found), "")


def _memory() -> str:
    """Memory and swap as Linux tells them; empty elsewhere."""
    lines = (line.split() for line in _text(Path("/proc/meminfo")).splitlines())
    kilobytes = {line[0]: int(line[1]) for line in lines if line[0] in ("MemTotal:", "SwapTotal:")}
    sizes = {name: megabytes(1024 * size) for name, size in kilobytes.items()}
    return f"{sizes['MemTotal:']}, swap {sizes['SwapTotal:']}" if len(sizes) == 2 else ""


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.version()}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
