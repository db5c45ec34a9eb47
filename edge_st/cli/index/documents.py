"""Texts with their ids and metadata from files of several formats, read as they are asked for."""

import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from edge_st_runtime.errors import InputError, OptionError

from ...input_files import Fields, decoded, existing, field, json_object, string_field
from ..csv_files import DELIMITERS, read_table
from ..records import JSONL_ENDINGS
from ..search import ENDINGS, find_files

TEXT, LINES, JSONL, AUTO = "text", "lines", "jsonl", "auto"
FORMATS = (AUTO, TEXT, LINES, JSONL, *DELIMITERS)
STDIN = "-"
#: metadata that say where a text comes from: its file and first line; of a piece its characters in the text, the id of
#: the first piece, or for that one how many there are
PLACE = ("path", "line", "start", "end", "of", "pieces")
_STDIN_NAME = "<stdin>"
_ADVICE, _ID_ADVICE = " (choose with --field)", " (choose with --id-field)"
_ENDINGS = {**dict.fromkeys(JSONL_ENDINGS, JSONL), **{f".{name}": name for name in DELIMITERS}}


@dataclass(frozen=True, slots=True)
class Document:
    """A text, what it is called, and what is known about it; ``is_file`` where it is all that its file holds."""

    id: str | int
    text: str
    metadata: Mapping[str, Any]
    is_file: bool = False

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return place_of(self.metadata)


@dataclass(frozen=True, slots=True)
class Form:
    """How texts stand in files: the format, the fields of text and id (None: "id", if there), and those left out."""

    format: str = AUTO
    text: str = "text"
    id: str | None = None
    left_out: Collection[str] = ()

    def of(self, name: str) -> str:
        """The format of the file ``name``."""
        if self.format != AUTO:
            return self.format
        return LINES if name == STDIN else _ENDINGS.get(Path(name).suffix.lower(), TEXT)


def place_of(metadata: Mapping[str, Any]) -> str:
    """The place that ``metadata`` tells of."""
    return f"{metadata['path']}:{metadata['line']}" if "path" in metadata and "line" in metadata else "the Python API"


def find_inputs(names: Sequence[str], form: Form) -> list[str]:
    """The files, each once, those of folders among them.

    Raises OptionError for what is not there and for folders of another format than text or lines, and InputError for
    a table whose header lacks a field.
    """
    found: dict[str, None] = {}
    for name in names:
        if name == STDIN:
            found[name] = None
            continue
        path = existing(name)
        if path.is_dir() and form.format not in (AUTO, TEXT, LINES):
            raise OptionError(
                f"{name} is a folder, of which {', '.join(sorted(ENDINGS))} files are read; name its "
                f"files of the format {form.format}, for example {name}/*.{form.format}"
            )
        found |= dict.fromkeys(str(file) for file in find_files(path))
    for name in found:
        if name != STDIN and form.of(name) in DELIMITERS:
            with Path(name).open("rb") as file:
                _check_names(dict.fromkeys(read_table(file, name, form.of(name))[0]), form, f"{name}:1")
    return list(found)


def read_documents(names: Sequence[str], form: Form) -> Iterator[Document]:
    """The documents of all files in order; "-" is the standard input.

    Raises InputError naming file and line where one is not UTF-8, no row or object, or lacks a text or an id.
    """
    for name in names:
        if name == STDIN:
            yield from _read(sys.stdin.buffer, _STDIN_NAME, form.of(name), form)
        else:
            with Path(name).open("rb") as file:
                yield from _read(file, name, form.of(name), form)


def _read(file: BinaryIO, name: str, kind: str, form: Form) -> Iterator[Document]:
    if kind == TEXT:
        text = "\n".join(line for _, line in decoded(file, name))
        yield Document(name, text, {"path": name, "line": 1}, is_file=True)
    elif kind == LINES:
        for number, line in decoded(file, name):
            yield Document(f"{name}:{number}", line, {"path": name, "line": number})
    elif kind == JSONL:
        for number, line in decoded(file, name):
            if line and not line.isspace():
                yield _document(_object(line, f"{name}:{number}", form), name, number, form)
    else:
        header, rows = read_table(file, name, kind)
        _check_names(dict.fromkeys(header), form, f"{name}:1")
        for number, row in rows:
            yield _document(row, name, number, form)


def _object(line: str, place: str, form: Form) -> Fields:
    found = json_object(line, place, {form.text: "a text"}, advice="for plain text use --format lines")
    _check_names(found, form, place)
    if "NaN" in line or "Infinity" in line:
        try:
            json.dumps(found, allow_nan=False)
        except ValueError as error:
            raise InputError(
                f"{place}: NaN or infinity, which JSON does not know; expected null or a number"
            ) from error
    return found


def _document(row: Fields, name: str, number: int, form: Form) -> Document:
    place = f"{name}:{number}"
    text, known = string_field(row, form.text, place, _ADVICE), _id(row, place, form)
    own = {form.text, form.id or "id", *form.left_out}
    metadata = {key: value for key, value in row.items() if key not in own}
    return Document(place if known is None else known, text, {**metadata, "path": name, "line": number})


def _id(row: Fields, place: str, form: Form) -> str | int | None:
    """The row's own id; None where it has none and need not."""
    name = form.id or "id"
    found = row.get(name) if form.id is None else field(row, name, place, _ID_ADVICE)
    if found is None and form.id is None:
        return None
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        what = "empty" if found == "" else f"{found!r:.40} of type {type(found).__name__}"
        raise InputError(f"{place}: {name!r} is {what}; expected a string or an integer that no other row has")
    return found


def _check_names(row: Fields, form: Form, place: str) -> None:
    """Raise InputError where a row lacks a field, or has one whose name is taken."""
    field(row, form.text, place, _ADVICE)
    if form.id is not None:
        field(row, form.id, place, _ID_ADVICE)
    own = {form.text, form.id or "id", *form.left_out}
    taken = [name for name in PLACE if name in row and name not in own]
    if taken:
        raise InputError(
            f"{place}: a field {taken[0]!r}, which is the name of what the index keeps about a text's place "
            f"({', '.join(PLACE)}); rename it, or leave it out with --drop {taken[0]}"
        )
