"""All calls to huggingface_hub: list a repository, download its files into the cache or into a folder.

huggingface_hub is imported inside the functions, so that a local model never loads it. What is used here is the same in
its releases from 0.30 to 2.x. Every function raises HubError; UnreachableError, a kind of it, where the Hub does not
answer and a copy in the cache may be used instead.
"""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import HubError
from edge_st_runtime.files.reading import inside, sha256

from .errors import endpoint, mapped_errors

TIMEOUT = 10.0  # seconds to connect, and to wait for an answer
_LIBRARY = "edge-st"


@dataclass(frozen=True)
class Repository:
    """A model on the Hub. ``revision`` is a branch, tag or commit, ``token`` as in huggingface_hub."""

    name: str
    revision: str = "main"
    token: str | bool | None = None

    def mapped_errors(self) -> AbstractContextManager[None]:
        """`mapped_errors` for this model."""
        return mapped_errors(self.name, self.revision)


@dataclass(frozen=True)
class HubFile:
    """A file on the Hub, and its checksum: SHA-256 for a large file, git's blob id for a small one."""

    name: str
    size: int | None
    sha256: str | None
    blob_id: str | None

    @property
    def identity(self) -> str | None:
        """The checksum of the content; None where the Hub gives none."""
        return self.sha256 or self.blob_id

    @property
    def part(self) -> str:
        """The name of the incomplete download, which is different for other content."""
        return f"{self.name}.{self.identity or 'unknown'}.part"

    def mismatch(self, path: Path, unknown: str | None = None) -> str | None:
        """What is wrong with the copy at ``path``; None where it is complete and right.

        ``unknown`` is the answer where the Hub gives no checksum.
        """
        found = path.stat().st_size
        if self.size is not None and found != self.size:
            return f"{found} bytes, expected {self.size}"
        if self.sha256 is not None:
            digest = sha256(path)
            return None if digest == self.sha256 else f"sha256 {digest}, expected {self.sha256}"
        if self.blob_id is not None:
            digest = _blob_id(path)
            return None if digest == self.blob_id else f"git blob id {digest}, expected {self.blob_id}"
        return unknown


@dataclass(frozen=True)
class Listing:
    """The files of a repository at one commit."""

    repository: Repository
    commit: str
    files: Mapping[str, HubFile]


def list_files(repository: Repository) -> Listing:
    """Ask the Hub for the commit and its files, in one request."""
    with repository.mapped_errors():
        from huggingface_hub import HfApi

        api = HfApi(endpoint=endpoint(), token=repository.token, library_name=_LIBRARY)
        info = api.model_info(repository.name, revision=repository.revision, files_metadata=True, timeout=TIMEOUT)
        return Listing(repository, str(info.sha), {file.name: file for file in map(_hub_file, info.siblings or ())})


def fetch_to_cache(listing: Listing, name: str, cache: str | None) -> Path:
    """The path of the file ``name`` in the cache; it is downloaded if it is not there yet."""
    with listing.repository.mapped_errors():
        return _download(listing.repository, name, listing.commit, cache)


def remember_revision(listing: Listing, cache: str | None) -> None:
    """Record in the cache which commit the revision is, and whether that commit has a modules.json.

    Both are needed to find and read the model without the network. Downloading modules.json by the name of the revision
    records both. No request is made where the cache has the commit already.
    """
    known = cached_snapshot(listing.repository, cache)
    if known is not None and known.name == listing.commit:
        return
    with listing.repository.mapped_errors():
        from huggingface_hub.errors import EntryNotFoundError

        try:
            _download(listing.repository, "modules.json", listing.repository.revision, cache)
        except EntryNotFoundError:
            if "modules.json" in listing.files:
                raise


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
        _stream(listing, file, part)
        if problem := file.mismatch(part):
            part.unlink()
            raise HubError(
                f"{name} of {listing.repository.name} arrived damaged ({problem}) and was deleted; run the same again, "
                "and if that does not help, look for a proxy that changes downloads"
            )
        return part.replace(target)


def _download(repository: Repository, name: str, revision: str, cache: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    path = hf_hub_download(
        repository.name,
        name,
        revision=revision,
        cache_dir=cache,
        token=repository.token,
        endpoint=endpoint(),
        etag_timeout=TIMEOUT,
        library_name=_LIBRARY,
    )
    return Path(path)


def _stream(listing: Listing, file: HubFile, part: Path) -> None:
    """Append to ``part`` what it lacks. hf_hub_download is not used: since 1.x it does not continue downloads."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    repository = listing.repository
    headers = build_hf_headers(token=repository.token, library_name=_LIBRARY)
    with part.open("ab") as stream:
        http_get(
            hf_hub_url(repository.name, file.name, revision=listing.commit, endpoint=endpoint()),
            stream,
            resume_size=stream.tell(),
            headers={**headers, "Accept-Encoding": "identity"},
            expected_size=file.size,
            displayed_filename=file.name,
        )


def _hub_file(sibling: Any) -> HubFile:
    lfs = sibling.lfs
    return HubFile(sibling.rfilename, sibling.size, lfs.sha256 if lfs else None, sibling.blob_id)


def _blob_id(path: Path) -> str:
    """Git's blob id of the file's content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
