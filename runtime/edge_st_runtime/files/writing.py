"""Write a file so that it appears under its name only when it is complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import EdgeSTError
from .shortage import writing_error


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
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError within the block into a FolderError or ResourceError that says what to do."""
    try:
        yield
    except OSError as error:
        if isinstance(error, EdgeSTError):
            raise
        raise writing_error(path, error) from error
