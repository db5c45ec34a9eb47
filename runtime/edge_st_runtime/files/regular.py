"""Which files may be opened: regular ones. Errors of the system as errors that say what is wrong with the file.

A FIFO would block, a device has no end, and a link to nothing is not the same as no file.
"""

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DamagedFileError, EdgeSTError, FolderError, MissingFileError, NotAFolderError
from .shortage import shortage

_AGAIN = "export or download the model again"
_MISSING = (errno.ENOENT, errno.ENOTDIR)
_REFUSED = (errno.EACCES, errno.EPERM)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def is_there(path: Path, repair: str = _AGAIN) -> bool:
    """Whether there is a file at ``path``; links are followed.

    Raises DamagedFileError for anything but a regular file (a folder, a FIFO, a device, a link that leads nowhere), and
    FolderError where the system does not let this user look. Messages end with ``repair``.
    """
    mode = _mode(path, repair)
    if mode is not None and not stat.S_ISREG(mode):
        raise DamagedFileError(
            f"{path} is {_KINDS.get(stat.S_IFMT(mode), 'no regular file')}; expected a file: {repair}"
        )
    return mode is not None


def is_folder(path: Path, expected: str) -> bool:
    """Whether there is a folder at ``path``; links are followed. Messages end with what was ``expected``.

    Raises NotAFolderError for anything but a folder, and FolderError where the system does not let this user look.
    """
    mode = _mode(path, expected)
    if mode is not None and not stat.S_ISDIR(mode):
        raise NotAFolderError(f"{path} is {_KINDS.get(stat.S_IFMT(mode), 'a file')}; {expected}")
    return mode is not None


def _mode(path: Path, repair: str) -> int | None:
    """The mode of what is at ``path``, None where there is nothing; raises DamagedFileError and FolderError."""
    try:
        return path.stat().st_mode
    except OSError as error:
        if error.errno in _MISSING and not path.is_symlink():
            return None
        if error.errno in _MISSING:
            raise DamagedFileError(f"{path} is a link to {path.readlink()}, which is missing; {repair}") from None
        raise file_error(path, error, repair) from error
    except ValueError as error:  # a zero byte in the name
        raise DamagedFileError(f"{path!r} is no file name ({error}); {repair}") from error


@contextmanager
def opening(path: Path, missing: str) -> Iterator[None]:
    """Open and read ``path`` within the block; errors of the system become those of `file_error`.

    Raises MissingFileError, whose message ends with ``missing``, and what `is_there` raises.
    """
    try:
        if not is_there(path, missing):
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
    found, code = shortage(error, f"cannot read {path}"), getattr(error, "errno", None)
    if found is not None:
        return found
    if code in _MISSING:
        return MissingFileError(f"{path} is missing; {repair}")
    if code in _REFUSED:
        return FolderError(f"{path} cannot be read ({error.args[-1]}); let this user read it: chmod u+r {path}")
    return DamagedFileError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); {repair}")
