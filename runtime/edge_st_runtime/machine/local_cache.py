"""A cache of small measurements of this machine, on disk; where it cannot be written, each process measures anew."""

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from ..files.writing import replacing

_logger = logging.getLogger(__name__)


def cache_folder(kind: str) -> Path:
    """The folder of the entries of this ``kind``: below XDG_CACHE_HOME, or ~/.cache.

    Raises RuntimeError where this user has no home folder.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-st" / kind


def digest(*parts: Any) -> str:
    """A hash of values that JSON can hold: 32 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def recall(kind: str, key: str) -> dict[str, Any] | None:
    """The content stored under ``key``; None where there is none, or where it cannot be read."""
    try:
        content = json.loads((cache_folder(kind) / f"{key}.json").read_text(encoding="utf-8"))
    except (OSError, RuntimeError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def keep(kind: str, key: str, content: dict[str, Any]) -> Path | None:
    """Store ``content`` under ``key``, atomically, and return the file.

    None where nothing can be written, as on a read-only file system.
    """
    try:
        path = cache_folder(kind) / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except (OSError, RuntimeError):
        return None
    return path


def can_keep(kind: str) -> bool:
    """Whether `keep` can write; a debug line says why not."""
    reason = why_not_kept(kind)
    if reason is not None:
        _logger.debug("nothing about this machine is kept: %s; XDG_CACHE_HOME can name another folder", reason)
    return reason is None


def why_not_kept(kind: str) -> str | None:
    """Why `keep` cannot write; None where it can."""
    try:
        folder = cache_folder(kind)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        return str(error)
    return None if os.access(folder, os.W_OK | os.X_OK) else f"{folder} is read-only"


def forget(kind: str, key: str) -> bool:
    """Remove the entry of ``key``; return whether there was one. Raises OSError where it cannot be removed."""
    try:
        (cache_folder(kind) / f"{key}.json").unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
