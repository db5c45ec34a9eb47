"""Read rows with named columns from .tsv, .csv and .jsonl files."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from reprlib import repr as shown
from typing import TypeAlias

from edge_st_runtime.errors import InputError

from ...input_files import Fields, read_objects
from ...table_files import placed_cells

Form: TypeAlias = tuple[str, str, str]
SCORED: Form = ("sentence1", "sentence2", "score")
LABELLED: Form = ("sentence1", "sentence2", "label")
TRIPLETS: Form = ("anchor", "positive", "negative")
FORMS = (SCORED, LABELLED, TRIPLETS)
EXPECTED = "expected the columns " + "; or ".join(", ".join(form) for form in FORMS)

_NUMBERS = {"score", "label"}
_EXAMPLE = {"sentence1": "a text", "sentence2": "a text", "score": 2.5}
_UNNAMED = "expected score TAB sentence1 TAB sentence2, or the texts anchor TAB positive TAB negative, or a header line"
_Cells: TypeAlias = tuple[str, list[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one row by column, and its place ``FILE:LINE``."""

    place: str
    values: Fields


def form_of(columns: Collection[str], place: str) -> Form:
    """The first of FORMS whose columns are all there; raises InputError where there is none."""
    form = _known_form(columns)
    if form is None:
        raise InputError(f"{place}: found the columns {', '.join(map(shown, columns)) or 'none'}; {EXPECTED}")
    return form


def jsonl_rows(path: Path) -> Iterator[Row]:
    """Rows of JSON objects, one per line; raises InputError for any other line."""
    for place, found in read_objects(path, _EXAMPLE):
        yield Row(place, found)


def csv_rows(path: Path) -> Iterator[Row]:
    """Rows after a header line.

    Raises InputError for an unknown header, unmatched quotes, and a row with more or fewer columns than the header.
    """
    lines = placed_cells(path)
    for place, header in lines:
        form_of(header, place)
        yield from _named(header, lines)


def tsv_rows(path: Path) -> Iterator[Row]:
    """Rows after a header line. Without a header, rows are a score and two sentences, or three texts.

    Quotes have no meaning. Raises InputError for any other number of columns, and where only some lines begin with a
    score.
    """
    lines = placed_cells(path)
    for place, cells in lines:
        if _known_form(cells):
            yield from _named(cells, lines)
        elif len(cells) != len(TRIPLETS):
            raise InputError(f"{place}: {len(cells)} columns; {_UNNAMED}")
        else:
            yield from _unnamed((place, cells), lines)


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".tsv": tsv_rows,
    ".csv": csv_rows,
    ".jsonl": jsonl_rows,
    ".ndjson": jsonl_rows,
}


def _known_form(columns: Collection[str]) -> Form | None:
    return next((form for form in FORMS if set(form) <= set(columns)), None)


def _named(header: Sequence[str], lines: Iterable[_Cells]) -> Iterator[Row]:
    for place, cells in lines:
        if len(cells) != len(header):
            raise InputError(f"{place}: {len(cells)} columns; expected {len(header)}: {', '.join(header)}")
        yield Row(place, {name: _value(name, cell) for name, cell in zip(header, cells, strict=True)})


def _unnamed(first: _Cells, lines: Iterable[_Cells]) -> Iterator[Row]:
    place, cells = first
    scored = _is_number(cells[0])
    if not scored and _is_number(cells[-1]):
        raise InputError(f"{place}: ends with {shown(cells[-1])}; {_UNNAMED}")
    header = ("score", "sentence1", "sentence2") if scored else TRIPLETS
    return _named(header, _consistent(scored, first, lines))


def _consistent(scored: bool, first: _Cells, lines: Iterable[_Cells]) -> Iterator[_Cells]:
    """All lines; raises InputError unless either all or none begin with a number."""
    for place, cells in chain([first], lines):
        if _is_number(cells[0]) is not scored:
            raise InputError(
                f"{place}: begins with {shown(cells[0])}, {first[0]} with {shown(first[1][0])}; {_UNNAMED}"
            )
        yield place, cells


def _value(name: str, cell: str) -> str | float:
    return float(cell) if name in _NUMBERS and _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
