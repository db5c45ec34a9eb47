"""Small findings about this machine, kept between processes; where nothing can be kept, they are found anew."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..files.writing import replacing


def cache_folder(kind: str) -> Path:
    """Where findings of a kind are kept: below XDG_CACHE_HOME, or ~/.cache.

    Raises RuntimeError where this user has no home.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-st" / kind


def digest(*parts: Any) -> str:
    """32 hexadecimal digits over values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def recall(kind: str, key: str) -> dict[str, Any] | None:
    """What was kept under ``key``; None where it was not, or cannot be read."""
    try:
        content = json.loads((cache_folder(kind) / f"{key}.json").read_text(encoding="utf-8"))
    except (OSError, RuntimeError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def keep(kind: str, key: str, content: dict[str, Any]) -> Path | None:
    """Keep ``content``, whole or not at all; None where nothing can be kept, as on a read-only file system."""
    try:
        path = cache_folder(kind) / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except (OSError, RuntimeError):
        return None
    return path


def forget(kind: str, key: str) -> bool:
    """Remove what was kept under ``key``; whether there was something. Raises OSError where it cannot be removed."""
    try:
        (cache_folder(kind) / f"{key}.json").unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
