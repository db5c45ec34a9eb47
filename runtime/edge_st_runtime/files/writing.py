"""Write a file so that it appears under its name only when it is complete."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import EdgeSTError, OptionError, ResourceError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A new path beside ``target``. It is renamed to ``target`` when the block ends, or removed where it raises."""
    target = target.resolve()
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Write below ``target`` within the block. Errors of the system become an error that names ``target``.

    Raises ResourceError where the disk is full, OptionError for a path that cannot be written to.
    """
    try:
        yield
    except EdgeSTError:
        raise
    except OSError as error:
        if error.errno in _FULL or os.strerror(errno.ENOSPC) in str(error):
            raise ResourceError(f"{target} cannot be written: the disk is full; free some space") from error
        raise OptionError(f"{target} cannot be written ({error}); choose another path") from error
