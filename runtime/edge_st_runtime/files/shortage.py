"""What this process or machine lacks, told from an error of the system or of an engine, which names no cause."""

import errno
import os
from pathlib import Path

from ..errors import DiskFullError, EdgeSTError, FolderError, ResourceError

#: by cause: the codes of the system, and what engines write for it
_FILES = (errno.EMFILE, errno.ENFILE), ("Too many open files",)
_MEMORY = (
    (errno.ENOMEM,),
    (
        *("bad_alloc", "bad allocation", "llocate memory", "Failed to allocate", "ut of memory", "can't alloc"),
        "Resource temporarily unavailable",  # no thread could be started
    ),
)
_DISK = (errno.ENOSPC, errno.EDQUOT), ("No space left on device",)
OPEN_FILES = "this process has too many files open; close some, or raise the limit: ulimit -n"
MEMORY = "there is not enough memory; free some, take a smaller model, or encode smaller batches"


def shortage(error: BaseException, doing: str) -> ResourceError | None:
    """The error that says what was lacking while ``doing`` something; None where ``error`` has another cause.

    An engine whose own files could not be opened says anything, so it is tried whether a file can be opened now.
    """
    if isinstance(error, MemoryError) or _is(error, _MEMORY):
        return ResourceError(f"{doing}: {MEMORY} ({_reason(error)})")
    if _is(error, _DISK):
        return DiskFullError(f"{doing}: the disk is full; free some space, or write to another disk ({_reason(error)})")
    if _is(error, _FILES) or not _can_open():
        return ResourceError(f"{doing}: {OPEN_FILES} ({_reason(error)})")
    return None


def writing_error(path: Path, error: OSError) -> EdgeSTError:
    """The error to raise for ``error``, which came up while ``path`` was written."""
    found = shortage(error, f"cannot write to {path}")
    return found or FolderError(f"cannot write to {path} ({error}); make it writable, or write to another folder")


def _is(error: BaseException, cause: tuple[tuple[int, ...], tuple[str, ...]]) -> bool:
    codes, signs = cause
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in codes
    return any(sign in str(error) for sign in signs)


def _can_open() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno not in _FILES[0]
    return True


def _reason(error: BaseException) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 200 else f"{words[:200]}…"
