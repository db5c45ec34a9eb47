"""Read the rows of CSV and TSV files one at a time."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from edge_st_runtime.errors import InputError

from ..input_files import decoded

#: the delimiter of each format
DELIMITERS = {"csv": ",", "tsv": "\t"}
#: a field longer than this many characters means that a quote was not closed
_LONGEST_FIELD = 100_000_000


def read_table(file: BinaryIO, name: str, form: str) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """Read the column names in the first line; return them and an iterator over (line number, row).

    A row maps column names to fields; its line number is that of its first line. ``form`` is a key of `DELIMITERS`.
    Empty lines are left out. Raises InputError, naming file and line, for bytes that are not UTF-8, unmatched quotes, a
    row with more or fewer fields than the header, and a header that is missing or has a name twice.
    """
    rows = _rows(file, name, form)
    line, header = next(rows, (1, []))
    if not any(header):
        raise InputError(f"{name}:1: no header; expected a first line with the names of the columns")
    double = next((found for place, found in enumerate(header) if found in header[:place]), None)
    if double is not None:
        raise InputError(f"{name}:{line}: two columns are called {double!r}; expected a name of its own for each")
    return header, _as_fields(rows, header, name)


def _as_fields(
    rows: Iterator[tuple[int, list[str]]], header: list[str], name: str
) -> Iterator[tuple[int, dict[str, str]]]:
    for number, row in rows:
        if len(row) != len(header):
            raise InputError(
                f"{name}:{number}: {len(row)} fields, the header has {len(header)} ({', '.join(header):.80}); expected "
                "as many, with quotes around a field that holds the delimiter"
            )
        yield number, dict(zip(header, row, strict=True))


def _rows(file: BinaryIO, name: str, form: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader((f"{line}\n" for _, line in decoded(file, name)), delimiter=DELIMITERS[form], strict=True)
    while True:
        start = reader.line_num + 1
        try:
            with _long_fields():
                row = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{name}:{start}: no row of {form.upper()} ({error}); expected quotes in pairs, doubled within a field"
            ) from error
        if row is None:
            return
        if row:
            yield start, row


@contextmanager
def _long_fields() -> Iterator[None]:
    """Raise the csv module's limit on fields, which the whole process shares, within the block only."""
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)
