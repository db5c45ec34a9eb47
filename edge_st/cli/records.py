"""Read texts from files: one text or one JSON object per line."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.unicode import check_unicode

from ..input_files import decoded, existing, json_object, standard_input, string_field

JSONL_ENDINGS = {".jsonl", ".ndjson"}


@dataclass(frozen=True, slots=True)
class Record:
    """One text and the file and line that it comes from; lines count from 1.

    ``id`` is that of the JSON object, None where it has none.
    """

    text: str
    id: str | int | None = None
    path: str = dataclasses.field(default="", compare=False)
    line: int = dataclasses.field(default=0, compare=False)


def check_files(files: Sequence[str]) -> None:
    """Raise OptionError for a file that does not exist or is a folder."""
    for name in files:
        if name != "-" and existing(name).is_dir():
            raise OptionError(f"{name} is a folder; name its files, for example {name}/*.txt")


def read_records(
    files: Sequence[str], form: str, field: str, longest: int | None = None, *, cut: bool = False
) -> Iterator[Record]:
    """Yield the records of all files in order; "-" is standard input.

    ``form`` is "lines", "jsonl" or "auto", which goes by the file's ending. Where ``longest`` is given, a line of more
    bytes is refused; with ``cut`` its beginning and its end are kept instead, unless it is JSON. Raises InputError,
    naming file and line, for a line that is refused, is not UTF-8, is not a JSON object, or has no string in ``field``.
    """
    for name in files:
        jsonl = form == "jsonl" or (form == "auto" and Path(name).suffix.lower() in JSONL_ENDINGS)
        if name == "-":
            yield from _read(standard_input(), "<stdin>", field if jsonl else None, longest, cut)
        else:
            with Path(name).open("rb") as file:
                yield from _read(file, name, field if jsonl else None, longest, cut)


def _read(file: BinaryIO, name: str, field: str | None, longest: int | None, cut: bool) -> Iterator[Record]:
    for number, line in decoded(file, name, longest, cut=cut and field is None):
        if field is None:
            yield Record(line, None, name, number)
        elif line and not line.isspace():
            yield Record(*_parse(line, field, f"{name}:{number}"), name, number)


def _parse(line: str, field: str, place: str) -> tuple[str, str | int | None]:
    """The text and the id of the JSON object in ``line``."""
    found = json_object(line, place, {field: "a text"}, advice="for plain text use --format lines")
    text, key = string_field(found, field, place, advice=" (choose with --field)"), found.get("id")
    if key is not None and not isinstance(key, str | int):
        raise InputError(f"{place}: 'id' is {type(key).__name__}; expected a string or an integer")
    if isinstance(key, str):
        check_unicode(key, f"{place}: field 'id'")
    return text, key
