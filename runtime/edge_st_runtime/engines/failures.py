"""Why an engine could not load a graph: the file is damaged only where nothing else explains it."""

import sys
from pathlib import Path

from ..errors import DamagedFileError, EdgeSTError, EngineError, MissingFileError, ResourceError

_NO_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "cannot allocate memory", "not enough memory")
_NO_DESCRIPTORS = ("too many open files", "os error 24")


def load_error(engine: str, graph: Path, reason: str, repair: str) -> EdgeSTError:
    """The error to raise where ``engine`` gave ``reason`` for not loading ``graph``.

    MissingFileError, ResourceError where memory or open files ran out, EngineError where the system has no /proc, and
    DamagedFileError, whose message ends with ``repair``, for anything else.
    """
    if not graph.is_file():
        return MissingFileError(f"{graph} is missing; export the model again or download it")
    said = reason.lower()
    if any(words in said for words in _NO_MEMORY):
        return ResourceError(f"{engine} has not enough memory for {graph}: {reason}. Free some, or take dtype='int8'")
    if any(words in said for words in _NO_DESCRIPTORS):
        return ResourceError(
            f"{engine} cannot open {graph}: this process has too many files open; close some, or raise the limit: "
            "ulimit -n"
        )
    if "procfs" in said or (sys.platform == "linux" and not Path("/proc/self").exists()):
        return EngineError(
            f"{engine} cannot load {graph} where /proc is missing: {reason}. Mount it: mount -t proc proc /proc, or "
            "try backend='openvino'"
        )
    return DamagedFileError(f"{engine} cannot load {graph} ({graph.stat().st_size} bytes): {reason}. {repair}")
