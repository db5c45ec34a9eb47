"""Read the rows of .csv and .tsv files one at a time, by one rule for all commands.

In a .csv file a comma separates the cells, and a cell in quotes may hold commas, line ends and doubled quotes. In a
.tsv file a line is a row, a tab separates the cells, and quotes mean nothing.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edge_st_runtime.errors import InputError

from .input_files import decoded

CSV, TSV = "csv", "tsv"
TABLES = (CSV, TSV)
#: a field longer than this many characters means that a quote was not closed
_LONGEST_FIELD = 100_000_000
_EXPECTED = {
    CSV: "expected as many, with quotes around a field that holds a comma",
    TSV: "expected as many, with a tab between them; in a .tsv file quotes mean nothing and a line is a row",
}


def read_cells(file: BinaryIO, name: str, form: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that is not empty, with the number of its first line; ``form`` is one of `TABLES`.

    Raises InputError, naming file and line, for bytes that are not UTF-8, and for unmatched quotes in a .csv file.
    """
    lines = decoded(file, name)
    if form == CSV:
        return _csv_rows(lines, name)
    return ((number, line.split("\t")) for number, line in lines if line)


def placed_cells(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The cells of each row of a .csv or .tsv file, with its place ``FILE:LINE``; raises as `read_cells`."""
    with path.open("rb") as file:
        for number, cells in read_cells(file, str(path), path.suffix.lower().removeprefix(".")):
            yield f"{path}:{number}", cells


def read_table(file: BinaryIO, name: str, form: str) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """Read the column names in the first row; return them and an iterator over (line number, row).

    A row maps column names to fields. Raises InputError, naming file and line, for a row with more or fewer fields than
    the header, for a header that is missing, has a name twice or holds a carriage return, and as `read_cells`.
    """
    rows = read_cells(file, name, form)
    line, header = next(rows, (1, []))
    if not any(header):
        raise InputError(f"{name}:1: no header; expected a first line with the names of the columns")
    if "\r" in "".join(header):
        raise _lone_returns(name, line)
    double = next((found for place, found in enumerate(header) if found in header[:place]), None)
    if double is not None:
        raise InputError(f"{name}:{line}: two columns are called {double!r}; expected a name of its own for each")
    return header, _as_fields(rows, header, name, form)


def _as_fields(
    rows: Iterator[tuple[int, list[str]]], header: list[str], name: str, form: str
) -> Iterator[tuple[int, dict[str, str]]]:
    for number, row in rows:
        if len(row) != len(header):
            raise InputError(
                f"{name}:{number}: {len(row)} fields, the header has {len(header)} ({', '.join(header):.80}); "
                f"{_EXPECTED[form]}"
            )
        yield number, dict(zip(header, row, strict=True))


def _csv_rows(lines: Iterator[tuple[int, str]], name: str) -> Iterator[tuple[int, list[str]]]:
    last = ""

    def with_ends() -> Iterator[str]:
        nonlocal last
        for _, last in lines:
            yield f"{last}\n"

    reader = csv.reader(with_ends(), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            with _long_fields():
                row = next(reader, None)
        except csv.Error as error:
            if "\r" in last:
                raise _lone_returns(name, reader.line_num) from error
            raise InputError(
                f"{name}:{start}: no row of CSV ({error}); expected quotes in pairs, doubled within a field"
            ) from error
        if row is None:
            return
        if row:
            yield start, row


def _lone_returns(name: str, line: int) -> InputError:
    return InputError(
        f"{name}:{line}: a carriage return without a line feed; expected lines that end with \\n or \\r\\n: convert "
        "the file, for example with mac2unix, or put quotes around a field of a .csv file that holds one"
    )


@contextmanager
def _long_fields() -> Iterator[None]:
    """Raise the csv module's limit on fields, which the whole process shares, within the block only."""
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)
