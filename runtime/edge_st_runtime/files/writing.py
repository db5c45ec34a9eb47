"""Write a file so that it appears under its name only when it is complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A new path beside ``target``. It is renamed to ``target`` when the block ends, or removed where it raises."""
    target = target.resolve()
    part = target.with_name(f".{target.name}.{os.urandom(8).hex()}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
