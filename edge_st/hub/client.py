"""Fetch the files of a repository, into the cache or into a folder. Every file is compared with the Hub's checksum.

Every function raises HubError; UnreachableError, a kind of it, where the Hub does not answer and a copy in the cache
may be used instead. PackageMissingError where huggingface_hub is not installed: it is imported inside the functions, so
that a local model never loads it. What is used of it is the same in its releases from 0.30 to 2.x.
"""

from pathlib import Path

from edge_st_runtime.errors import HubError
from edge_st_runtime.files.reading import inside

from .cache import link, lock_of, place
from .repository import HubFile, Listing
from .transfer import download


def fetch_to_cache(listing: Listing, name: str, cache: str | None) -> Path:
    """The path of the file ``name`` in the cache; it is downloaded if it is not there yet."""
    file = listing.files[name]
    with listing.repository.mapped_errors():
        pointer, blob = place(listing, file, cache)
        if _has(pointer, file):
            return pointer
        from filelock import FileLock

        lock = lock_of(listing, blob, cache)
        for path in (lock, blob):
            path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, thread_local=False):
            if not _has(pointer, file):
                if not _has(blob, file):
                    _fetch(listing, file, blob.with_name(f"{blob.name}.incomplete"), blob)
                link(blob, pointer)
        return pointer


def fetch_to_file(listing: Listing, name: str, folder: Path) -> Path:
    """Download the file ``name`` into ``folder``; it appears there once it is complete and its checksum is right.

    A right copy is not downloaded again. An interrupted download is continued.
    """
    file, target = listing.files[name], inside(folder, name)
    with listing.repository.mapped_errors():
        if file.identity and target.is_file() and file.mismatch(target) is None:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        part = inside(folder, file.part)
        if part.exists() and (file.identity is None or file.size is None or part.stat().st_size > file.size):
            part.unlink()
        _fetch(listing, file, part, target)
        return target


def _has(path: Path, file: HubFile) -> bool:
    """Whether the cache has the file whole; its content was compared with the checksum when it came."""
    return path.is_file() and file.size in (None, path.stat().st_size)


def _fetch(listing: Listing, file: HubFile, part: Path, target: Path) -> None:
    download(listing, file, part)
    if problem := file.mismatch(part):
        part.unlink()
        raise HubError(
            f"{file.name} of {listing.repository.name} arrived damaged ({problem}) and was deleted; run the same "
            "again, and if that does not help, look for a proxy that changes downloads"
        )
    part.replace(target)
