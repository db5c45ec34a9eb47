"""Texts from files: one a line, or one JSON object a line."""

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_st_runtime.errors import InputError, OptionError

from .shared import existing

JSONL_ENDINGS = {".jsonl", ".ndjson"}


@dataclass(frozen=True, slots=True)
class Record:
    """One text, the ``id`` of the JSON object it came from, if it had one, and where it stands; lines count from 1."""

    text: str
    id: str | int | None = None
    path: str = dataclasses.field(default="", compare=False)
    line: int = dataclasses.field(default=0, compare=False)


def check_files(files: Sequence[str]) -> None:
    """Raise OptionError for a file that is not there, or is a folder."""
    for name in files:
        if name != "-" and existing(name).is_dir():
            raise OptionError(f"{name} is a folder; name its files, for example {name}/*.txt")


def read_records(files: Sequence[str], form: str, field: str) -> Iterator[Record]:
    """The records of all files in order, read as they are asked for; "-" is the standard input.

    ``form`` is "lines", "jsonl" or "auto" (by the file's ending). Raises InputError naming file and line where a line
    is not UTF-8, not a JSON object, or has no string in ``field``.
    """
    for name in files:
        jsonl = form == "jsonl" or (form == "auto" and Path(name).suffix.lower() in JSONL_ENDINGS)
        if name == "-":
            yield from _read(sys.stdin.buffer, "<stdin>", field if jsonl else None)
        else:
            with Path(name).open("rb") as file:
                yield from _read(file, name, field if jsonl else None)


def _read(file: BinaryIO, name: str, field: str | None) -> Iterator[Record]:
    for number, raw in enumerate(file, 1):
        line = _decode(raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw, f"{name}:{number}")
        if field is None:
            yield Record(line, None, name, number)
        elif line and not line.isspace():
            yield Record(*_parse(line, field, f"{name}:{number}"), name, number)


def _decode(raw: bytes, place: str) -> str:
    try:
        return raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{place}: byte {error.start + 1} is not UTF-8; convert the file, for example with iconv"
        raise InputError(message) from error


def _parse(line: str, field: str, place: str) -> tuple[str, str | int | None]:
    """The text and the id of a JSON object."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not JSON ({error}); for plain text use --format lines") from error
    if not isinstance(found, dict):
        example = json.dumps({field: "a text"})
        raise InputError(f"{place}: a JSON {type(found).__name__}; expected an object such as {example}")
    if field not in found:
        raise InputError(f"{place}: no field {field!r}; it has {', '.join(found) or 'none'} (choose with --field)")
    text, key = found[field], found.get("id")
    if not isinstance(text, str):
        raise InputError(f"{place}: field {field!r} is {type(text).__name__}; expected a string")
    if key is not None and not isinstance(key, str | int):
        raise InputError(f"{place}: 'id' is {type(key).__name__}; expected a string or an integer")
    return text, key
