"""The peak memory of this process, and sizes as text."""

import sys
from pathlib import Path


def peak_memory() -> int | None:
    """The largest resident size of this process so far, in bytes; None on systems that do not tell (Windows)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return _peak_of_getrusage()
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return _peak_of_getrusage() if line is None else int(line.split()[1]) * 1024


def _peak_of_getrusage() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def megabytes(size: float) -> str:
    """Bytes as MB (10^6 bytes) with one decimal."""
    return f"{size / 1e6:.1f} MB"
