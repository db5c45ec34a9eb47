"""A model's repository on the Hub, and its list of files."""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import HubError
from edge_st_runtime.files.reading import sha256

from .errors import mapped_errors

_MOST_FILES = 20_000
_COMMIT, _SHA256 = re.compile("[0-9a-f]{40}"), re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Repository:
    """A model on the Hub. ``revision`` is a branch, tag or commit, ``token`` as in huggingface_hub."""

    name: str
    revision: str = "main"
    token: str | bool | None = None

    def mapped_errors(self) -> AbstractContextManager[None]:
        """`mapped_errors` for this model."""
        return mapped_errors(self.name, self.token)


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


def read_listing(repository: Repository, answer: bytes) -> Listing:
    """The list of files in the Hub's JSON about a model; raises HubError where it is something else."""
    try:
        found = json.loads(answer)
        siblings = found["siblings"]
        if len(siblings) > _MOST_FILES:
            raise HubError(
                f"{repository.name} lists {len(siblings)} files; expected at most {_MOST_FILES}: give another model"
            )
        files = [_hub_file(sibling) for sibling in siblings]
        commit = _checksum(_COMMIT, found["sha"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise HubError(
            f"the answer about {repository.name} is no list of files such as the Hub gives; check HF_ENDPOINT, or give "
            "a local folder"
        ) from error
    return Listing(repository, commit, {file.name: file for file in files})


def _hub_file(sibling: Any) -> HubFile:
    name, size = sibling["rfilename"], sibling.get("size")
    if not isinstance(name, str) or not name or not (size is None or (type(size) is int and size >= 0)):
        raise ValueError(f"a file is {name!r} of {size!r} bytes")
    large, blob_id = (sibling.get("lfs") or {}).get("sha256"), sibling.get("blobId")
    return HubFile(name, size, large and _checksum(_SHA256, large), blob_id and _checksum(_COMMIT, blob_id))


def _checksum(form: "re.Pattern[str]", value: str) -> str:
    if not form.fullmatch(value):
        raise ValueError(f"{value!r} is no checksum")
    return value


def _blob_id(path: Path) -> str:
    """Git's blob id of the file's content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()
