"""Read the small files of a model folder; every error names the file."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from ..errors import DamagedFileError, EdgeSTError, UnsafePathError
from .regular import check_size, file_error, is_there, opening

T = TypeVar("T")
_WRONG_KIND = (TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError, AssertionError)
#: the end of messages about a file that a user may have edited
CORRECT = "correct it, or download or export the model again"
_AGAIN = "export or download the model again"
_MISSING = "export the model again or download the whole folder"
#: the most bytes of a file of JSON: 64 MB, and for a tokenizer's 512 MB
_MOST_BYTES, _MOST_TOKENIZER_BYTES = 64 << 20, 512 << 20


class WrongValueError(ValueError):
    """A file has a value that it should not have; the message lacks the file, which `reading` adds."""


def wrong(name: str, value: Any, expected: str) -> WrongValueError:
    """The error for the ``value`` that a file has as ``name``."""
    return WrongValueError(f"{name} is {value!r:.80}; expected {expected}")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the errors that a wrong value in ``path`` leads to into a DamagedFileError that names the file.

    What Python says of a value of a wrong type is no help to those who read the message; the cause has it.
    """
    try:
        yield
    except EdgeSTError:
        raise
    except (OSError, MemoryError) as error:
        raise file_error(path, error, _AGAIN) from error
    except WrongValueError as error:
        raise DamagedFileError(f"{path}: {error}; {CORRECT}") from error
    except KeyError as error:
        raise DamagedFileError(f"{path} lacks the entry {error}; {CORRECT}") from error
    except _WRONG_KIND as error:
        raise DamagedFileError(f"{path} holds a value of an unexpected type; {CORRECT}") from error


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
    """The JSON object in ``path``, or an empty one where there is nothing; raises DamagedFileError."""
    return read_json(path) if is_there(path) else {}


def check_json_size(path: Path, repair: str = _AGAIN) -> None:
    """Raise DamagedFileError where the file is larger than any that is needed."""
    check_size(path, _MOST_TOKENIZER_BYTES if path.name == "tokenizer.json" else _MOST_BYTES, repair)


def whole_number(values: Mapping[str, Any], name: str) -> int | None:
    """The number that a file has as ``name``, a whole one of at least 1 (64.0 is 64); None where it has none.

    Raises WrongValueError for anything else.
    """
    value = values.get(name)
    if value is None:
        return None
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value >= 1 and value == value // 1
    if not whole or value == math.inf:
        raise wrong(name, value, "a whole number of at least 1")
    return int(value)


def section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The JSON object that a file has as ``name``, an empty one without; raises WrongValueError for anything else."""
    found = values.get(name) or {}
    if not isinstance(found, dict):
        raise wrong(name, found, "a JSON object")
    return found


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of the file's bytes; raises what `opening` raises."""
    with opening(path, _MISSING), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(path: Path, repair: str) -> Any:
    try:
        with opening(path, _MISSING):
            check_json_size(path, repair)
            return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, EdgeSTError):
            raise
        by_hand = _by_hand(error) if repair == _AGAIN else ""
        raise DamagedFileError(f"{path} cannot be read as JSON ({error}); {by_hand}{repair}") from error


def _by_hand(error: Exception) -> str:
    """How to correct a file that a user has edited."""
    if isinstance(error, UnicodeDecodeError) or "BOM" in str(error):
        return "save it as UTF-8 without a byte order mark (BOM), or "
    return f"correct line {error.lineno}, or " if isinstance(error, json.JSONDecodeError) else ""


def _expect(value: Any, kind: type[T], path: Path, what: str) -> T:
    if not isinstance(value, kind):
        raise DamagedFileError(f"{path} holds {type(value).__name__}; expected {what}")
    return value
