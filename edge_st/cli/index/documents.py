"""Documents (texts with ids and metadata) in files of several formats, read one after the other."""

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.unicode import check_unicode

from ...input_files import Fields, decoded, existing, field, json_object, standard_input, string_field
from ...table_files import TABLES, read_table
from ..records import JSONL_ENDINGS
from ..text_files import ENDINGS, find_files, note_skipped, read_bytes

TEXT, LINES, JSONL, AUTO = "text", "lines", "jsonl", "auto"
FORMATS = (AUTO, TEXT, LINES, JSONL, *TABLES)
STDIN = "-"
#: metadata about the place of a text: its file and first line; for a piece its first and last character in the text,
#: and the id of the first piece or, in the first piece, the number of pieces
PLACE = ("path", "line", "start", "end", "of", "pieces")
_STDIN_NAME = "<stdin>"
_ADVICE, _ID_ADVICE = " (choose with --field)", " (choose with --id-field)"
_ENDINGS = {**dict.fromkeys(JSONL_ENDINGS, JSONL), **{f".{name}": name for name in TABLES}}


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its id and metadata; ``is_file`` is True where the text is the whole file."""

    id: str | int
    text: str
    metadata: Mapping[str, Any]
    is_file: bool = False

    @property
    def place(self) -> str:
        """The file and line of the text, for messages."""
        return place_of(self.metadata)


@dataclass(frozen=True, slots=True)
class InputFormat:
    """How files are read: their format, the fields of text and id (None: "id", if there is one), and fields to drop."""

    format: str = AUTO
    text: str = "text"
    id: str | None = None
    dropped: Collection[str] = ()

    def of(self, name: str) -> str:
        """The format of the file ``name``."""
        if self.format != AUTO:
            return self.format
        return LINES if name == STDIN else _ENDINGS.get(Path(name).suffix.lower(), TEXT)


def place_of(metadata: Mapping[str, Any]) -> str:
    """The file and line in ``metadata``, for messages."""
    return f"{metadata['path']}:{metadata['line']}" if "path" in metadata and "line" in metadata else "the Python API"


def find_inputs(names: Sequence[str], input_format: InputFormat) -> dict[str, bool]:
    """The files under ``names``, each once, and whether it was named itself; of folders the text files in them.

    Raises OptionError for a name that does not exist and for a folder with a format other than text and lines,
    InputError for folders without text files, and for a table whose header lacks a field.
    """
    found: dict[str, bool] = {}
    for name in names:
        if name == STDIN:
            found[name] = True
            continue
        path = existing(name)
        if path.is_dir() and input_format.format not in (AUTO, TEXT, LINES):
            raise OptionError(
                f"{name} is a folder, of which only {', '.join(sorted(ENDINGS))} files are read; name its "
                f"{input_format.format} files, for example {name}/*.{input_format.format}"
            )
        for each in map(str, find_files(path)):
            found[each] = found.get(each, False) or not path.is_dir()
    if not found:
        raise InputError(f"no text file in {', '.join(names)}; expected files ending in {', '.join(sorted(ENDINGS))}")
    for name in found:
        if name != STDIN and input_format.of(name) in TABLES:
            with Path(name).open("rb") as table:
                _check_names(
                    dict.fromkeys(read_table(table, name, input_format.of(name))[0]), input_format, f"{name}:1"
                )
    return found


def read_documents(files: Mapping[str, bool], input_format: InputFormat) -> Iterator[Document]:
    """The documents of the files of `find_inputs` in order; "-" is the standard input.

    A file of a folder that cannot be read as text is skipped with a note. Raises InputError, which names file and line,
    for text that is not UTF-8 in a file that was named itself, for a line that is not a row or object of the format,
    and for one without text or id.
    """
    for name, is_named in files.items():
        if name == STDIN:
            yield from _read(standard_input(), _STDIN_NAME, input_format.of(name), input_format)
        elif is_named or _is_readable(name, input_format.of(name)):
            with Path(name).open("rb") as file:
                yield from _read(file, name, input_format.of(name), input_format)


def _is_readable(name: str, kind: str) -> bool:
    """Whether a file is UTF-8, and no larger than one text may be; prints a note where it is not."""
    try:
        with Path(name).open("rb") as file:
            for _ in decoded(BytesIO(read_bytes(file, name)) if kind == TEXT else file, name):
                pass
    except (InputError, OSError) as error:
        note_skipped(name, error)
        return False
    return True


def _read(file: BinaryIO, name: str, kind: str, input_format: InputFormat) -> Iterator[Document]:
    if kind == TEXT:
        text = "\n".join(line for _, line in decoded(BytesIO(read_bytes(file, name)), name))
        yield Document(name, text, {"path": name, "line": 1}, is_file=True)
    elif kind == LINES:
        for number, line in decoded(file, name):
            yield Document(f"{name}:{number}", line, {"path": name, "line": number})
    elif kind == JSONL:
        for number, line in decoded(file, name):
            if line and not line.isspace():
                yield _document(_object(line, f"{name}:{number}", input_format), name, number, input_format)
    else:
        header, rows = read_table(file, name, kind)
        _check_names(dict.fromkeys(header), input_format, f"{name}:1")
        for number, row in rows:
            yield _document(row, name, number, input_format)


class _NotFiniteError(Exception):
    """NaN, an infinity, or a number too large for a float."""


def _finite(number: str) -> float:
    found = float(number)
    if not math.isfinite(found):
        raise _NotFiniteError(number)
    return found


_JSON = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _object(line: str, place: str, input_format: InputFormat) -> Fields:
    try:
        found = json_object(
            line, place, {input_format.text: "a text"}, "for plain text use --format lines", _JSON.decode
        )
    except _NotFiniteError as error:
        raise InputError(f"{place}: {error}, which JSON cannot hold; expected null or a finite number") from None
    if "\\ud" in line or "\\uD" in line:
        check_unicode(json.dumps(found, ensure_ascii=False), place)
    _check_names(found, input_format, place)
    return found


def _document(row: Fields, name: str, number: int, input_format: InputFormat) -> Document:
    place = f"{name}:{number}"
    text, known = string_field(row, input_format.text, place, _ADVICE), _id(row, place, input_format)
    own = {input_format.text, input_format.id or "id", *input_format.dropped}
    metadata = {key: value for key, value in row.items() if key not in own}
    return Document(place if known is None else known, text, {**metadata, "path": name, "line": number})


def _id(row: Fields, place: str, input_format: InputFormat) -> str | int | None:
    """The id in the row; None where it has none, and no --id-field asks for one."""
    name = input_format.id or "id"
    found = row.get(name) if input_format.id is None else field(row, name, place, _ID_ADVICE)
    if found is None and input_format.id is None:
        return None
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        what = "empty" if found == "" else f"{found!r:.40} of type {type(found).__name__}"
        raise InputError(f"{place}: {name!r} is {what}; expected a string or an integer that no other row has")
    return found


def _check_names(row: Fields, input_format: InputFormat, place: str) -> None:
    """Raise InputError where a row lacks a field, or has a field with a name that the index itself uses."""
    field(row, input_format.text, place, _ADVICE)
    if input_format.id is not None:
        field(row, input_format.id, place, _ID_ADVICE)
    own = {input_format.text, input_format.id or "id", *input_format.dropped}
    taken = [name for name in PLACE if name in row and name not in own]
    if taken:
        raise InputError(
            f"{place}: the field {taken[0]!r} has a name that the index itself uses ({', '.join(PLACE)}); rename the "
            f"field, or leave it out with --drop {taken[0]}"
        )
