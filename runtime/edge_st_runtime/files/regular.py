"""Which files may be opened: regular ones. Errors of the system as errors that say what is wrong with the file.

A FIFO would block, a device has no end, and a link to nothing is not the same as no file.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DamagedFileError, EdgeSTError, FolderError, MissingFileError, ResourceError

_AGAIN = "export or download the model again"
_MISSING = (errno.ENOENT, errno.ENOTDIR)
_REFUSED = (errno.EACCES, errno.EPERM)
_EXHAUSTED = {
    errno.EMFILE: "this process has too many files open; close some, or raise the limit: ulimit -n",
    errno.ENFILE: "this machine has too many files open; close some",
    errno.ENOMEM: "there is not enough memory; free some, or take a smaller model",
}
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def is_there(path: Path) -> bool:
    """Whether there is a file at ``path``; links are followed.

    Raises DamagedFileError for anything but a regular file (a folder, a FIFO, a device, a link that leads nowhere), and
    FolderError where the system does not let this user look.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno in _MISSING and not path.is_symlink():
            return False
        if error.errno in _MISSING:
            raise DamagedFileError(f"{path} is a link to {path.readlink()}, which is missing; {_AGAIN}") from None
        raise file_error(path, error, _AGAIN) from error
    except ValueError as error:  # a zero byte in the name
        raise DamagedFileError(f"{path!r} is no file name ({error}); {_AGAIN}") from error
    if not stat.S_ISREG(mode):
        raise DamagedFileError(
            f"{path} is {_KINDS.get(stat.S_IFMT(mode), 'no regular file')}; expected a file: {_AGAIN}"
        )
    return True


@contextmanager
def opening(path: Path, missing: str) -> Iterator[None]:
    """Open and read ``path`` within the block; errors of the system become those of `file_error`.

    Raises MissingFileError, whose message ends with ``missing``, and what `is_there` raises.
    """
    try:
        if not is_there(path):
            raise MissingFileError(f"{path} is missing; {missing}")
        yield
    except EdgeSTError:
        raise
    except (OSError, MemoryError) as error:
        raise file_error(path, error, missing) from error


def check_size(path: Path, most: int, repair: str) -> None:
    """Raise DamagedFileError, whose message ends with ``repair``, where the file has more than ``most`` bytes."""
    size = path.stat().st_size
    if size > most:
        raise DamagedFileError(f"{path} has {size} bytes; expected no more than {most}; {repair}")


def file_error(path: Path, error: OSError | MemoryError, repair: str) -> EdgeSTError:
    """The error to raise for ``error``, which came up while ``path`` was read.

    MissingFileError where it is missing, ResourceError where this process or machine lacks memory or descriptors,
    FolderError where this user may not read it, and DamagedFileError, whose message ends with ``repair``, for others.
    """
    code = errno.ENOMEM if isinstance(error, MemoryError) else error.errno
    if code in _EXHAUSTED:
        return ResourceError(f"{path} cannot be read: {_EXHAUSTED[code]}")
    if code in _MISSING:
        return MissingFileError(f"{path} is missing; {repair}")
    if code in _REFUSED:
        return FolderError(f"{path} cannot be read ({os.strerror(code)}); let this user read it: chmod u+r {path}")
    return DamagedFileError(f"{path} cannot be read ({error}); {repair}")
