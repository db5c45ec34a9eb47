"""Read the small files of a model folder; every error names the file."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from ..errors import DamagedFileError, EdgeSTError, MissingFileError, UnsafePathError

T = TypeVar("T")
_WRONG_KIND = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
_AGAIN = "export or download the model again"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the errors that a value of a wrong type in ``path`` leads to into a DamagedFileError that names the file."""
    try:
        yield
    except EdgeSTError:
        raise
    except _WRONG_KIND as error:
        raise DamagedFileError(
            f"{path} holds a value of an unexpected type ({type(error).__name__}: {error}); download or export the "
            "model again"
        ) from error


def inside(folder: Path, name: str) -> Path:
    """The path of ``name`` below ``folder``.

    Raises UnsafePathError where ``name`` is absolute or contains ``..``. Links are followed: the Hub's cache consists
    of links.
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name or "\0" in name:
        raise UnsafePathError(
            f"{folder} names the file {name!r}, which leads outside the folder; do not use this model"
        )
    return folder / parts


def read_json(path: Path, repair: str = _AGAIN) -> dict[str, Any]:
    """The JSON object in ``path``; raises MissingFileError, or DamagedFileError whose message ends with ``repair``."""
    return _expect(_parse(path, repair), dict, path, "a JSON object")


def read_json_list(path: Path) -> list[Any]:
    """The JSON list in ``path``; raises MissingFileError or DamagedFileError."""
    return _expect(_parse(path, _AGAIN), list, path, "a JSON list")


def read_optional_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``, or an empty one where there is no such file; raises DamagedFileError."""
    return read_json(path) if path.is_file() else {}


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(path: Path, repair: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(f"{path} is missing; export the model again or download the whole folder") from None
    except (ValueError, OSError, RecursionError) as error:
        raise DamagedFileError(f"{path} cannot be read as JSON ({error}); {repair}") from error


def _expect(value: Any, kind: type[T], path: Path, what: str) -> T:
    if not isinstance(value, kind):
        raise DamagedFileError(f"{path} holds {type(value).__name__}; expected {what}")
    return value
