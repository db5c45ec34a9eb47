"""huggingface_hub's cache of models, whose layout all clients of the Hub share.

A file's content lies in ``blobs``, under its checksum; ``snapshots`` has a folder of links to them for each commit, and
``refs`` the commit of each revision. ``.no_exist`` names files that a commit does not have.
"""

import os
from pathlib import Path
from uuid import uuid4

from edge_st_runtime.files.reading import inside

from .repository import HubFile, Listing, Repository


def cached_snapshot(repository: Repository, cache: str | None) -> Path | None:
    """The model's folder in the cache; None where the cache lacks what is needed to read it. Makes no request."""
    with repository.mapped_errors():
        from huggingface_hub import try_to_load_from_cache

        for name in ("modules.json", "config.json"):
            found = try_to_load_from_cache(repository.name, name, cache_dir=cache, revision=repository.revision)
            if found is None:
                return None
            if isinstance(found, str):
                return Path(found).parent
        return None


def remember_revision(listing: Listing, cache: str | None) -> None:
    """Record in the cache which commit the revision is, and whether that commit has a modules.json.

    Both are needed to find and read the model without the network.
    """
    known = cached_snapshot(listing.repository, cache)
    if known is not None and known.name == listing.commit:
        return
    with listing.repository.mapped_errors():
        folder = _folder(listing.repository, cache)
        if listing.repository.revision != listing.commit:
            _write(inside(folder / "refs", listing.repository.revision), listing.commit)
        if "modules.json" not in listing.files:
            _write(folder / ".no_exist" / listing.commit / "modules.json", "")


def place(listing: Listing, file: HubFile, cache: str | None) -> tuple[Path, Path]:
    """Where the cache has the file: its path in the snapshot, and the path of its content."""
    folder = _folder(listing.repository, cache)
    identity = file.identity or f"{listing.commit}-{file.name.replace('/', '-')}"
    return inside(folder / "snapshots" / listing.commit, file.name), inside(folder / "blobs", identity)


def lock_of(listing: Listing, blob: Path, cache: str | None) -> Path:
    """The lock of a content, which other clients of the Hub take, too."""
    folder = _folder(listing.repository, cache)
    return folder.parent / ".locks" / folder.name / f"{blob.name}.lock"


def link(blob: Path, pointer: Path) -> None:
    """Make ``pointer`` a link to ``blob``; the file itself where the system makes no links."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    made = pointer.with_name(f".{uuid4().hex}.incomplete")
    try:
        made.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:
        blob.replace(pointer)
    else:
        made.replace(pointer)


def _folder(repository: Repository, cache: str | None) -> Path:
    from huggingface_hub import constants

    return Path(cache or constants.HF_HUB_CACHE) / f"models--{repository.name.replace('/', '--')}"


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.{uuid4().hex}.incomplete")
    try:
        made.write_text(content)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
