"""Read sentence pairs with scores or labels, and triplets, from the rows of a file."""

from pathlib import Path
from reprlib import repr as shown

from edge_st_runtime.errors import InputError, OptionError

from ...input_files import field, string_field
from .kinds import MAX_SCORE, PairData, SimilarityData, TripletData
from .rows import EXPECTED, READERS, TRIPLETS, Row, form_of

_SPLITS = {"train", "dev", "validation", "test"}


def read_table(path: Path) -> SimilarityData | PairData | TripletData:
    """Read the data of a .tsv, .csv, .jsonl or .ndjson file.

    The data's name is that of the file; a file named after a split, such as test.tsv, gets the folder's name before it.
    Raises OptionError for another ending, InputError for content that is not valid.
    """
    if path.suffix.lower() not in READERS:
        raise OptionError(f"{path} has the ending {path.suffix!r}; expected {', '.join(READERS)} or a folder")
    rows = list(READERS[path.suffix.lower()](path))
    if not rows:
        raise InputError(f"{path}: no rows; {EXPECTED}")
    form = form_of(rows[0].values, rows[0].place)
    name = f"{path.absolute().parent.name}-{path.stem}" if path.stem in _SPLITS else path.stem
    if form == TRIPLETS:
        anchors, positives, negatives = (_texts(rows, column) for column in form)
        return TripletData(name, anchors, positives, negatives)
    sentences1, sentences2 = (_texts(rows, column) for column in form[:2])
    scores = _scores(rows, form[2], path)
    if set(scores) == {0, 1}:
        return PairData(name, sentences1, sentences2, [int(score) for score in scores])
    return SimilarityData(name, sentences1, sentences2, scores)


def _texts(rows: list[Row], column: str) -> list[str]:
    texts = []
    for row in rows:
        text = string_field(row.values, column, row.place)
        if not text.strip():
            raise InputError(f"{row.place}: {column} is blank; expected a text")
        texts.append(text)
    return texts


def _scores(rows: list[Row], column: str, path: Path) -> list[float]:
    scores = [_score(row, column) for row in rows]
    if len(set(scores)) == 1:
        raise InputError(
            f"{path}: every {column} is {scores[0]:g}; expected different ones, else nothing can be measured"
        )
    return scores


def _score(row: Row, column: str) -> float:
    value = field(row.values, column, row.place)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if column == "label" and not (number and value in {0, 1}):
        raise InputError(f"{row.place}: label is {shown(value)}; expected 0 or 1")
    if not (number and 0 <= value <= MAX_SCORE):
        raise InputError(f"{row.place}: {column} is {shown(value)}; expected a number from 0 to {MAX_SCORE}")
    return float(value)
