"""The folder that a download goes to: who writes to it, and what it holds already."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_st_runtime.errors import FolderError, OptionError
from edge_st_runtime.files.reading import inside
from edge_st_runtime.model.variants import Criteria

from .fetch import fetch_model
from .files import HEADS
from .repository import Listing, Repository

_logger = logging.getLogger(__name__)


def refuse_others(target: Path, force: bool) -> None:
    """Raise OptionError where ``target`` is a file, or holds something other than a model."""
    if target.exists() and not target.is_dir():
        raise OptionError(f"{target} is a file; expected a new folder")
    if not target.exists() or not any(target.iterdir()) or any((target / name).is_file() for name in HEADS):
        return
    if not force:
        raise OptionError(f"{target} is not empty; choose a new folder")
    raise OptionError(f"{target} is not a model folder, so --force does not replace it; choose a new folder")


@contextmanager
def alone(target: Path, repository: Repository) -> Iterator[None]:
    """Let one call at a time, of all threads and processes, write to ``target``; the others wait."""
    from filelock import FileLock, Timeout

    path = target.with_name(f".{target.name}.lock")
    lock = FileLock(path, thread_local=False)
    with repository.mapped_errors():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _logger.warning("another call downloads to %s; waiting for it", target)
            lock.acquire()
    try:
        yield
    finally:
        with suppress(PermissionError):  # on Windows, an open file
            path.unlink(missing_ok=True)  # while the lock is held: a call that waits makes the next file
        lock.release()


def holds(target: Path, listing: Listing, criteria: Criteria) -> bool:
    """Whether ``target`` holds all files that the model needs, with the checksums in ``listing``, and no others."""

    def right(name: str) -> Path:
        path = inside(target, name)
        if not path.is_file() or listing.files[name].mismatch(path, unknown="the Hub gives no checksum"):
            raise FolderError(f"{path} is missing or has another content")
        return path

    try:
        _, names = fetch_model(listing.repository.name, listing.files, criteria, right)
    except FolderError:
        return False
    return {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == set(names)
