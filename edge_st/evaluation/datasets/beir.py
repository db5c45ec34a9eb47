"""Retrieval sets in BEIR's layout: corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv with a header line.

Source: github.com/beir-cellar/beir, which also defines that a title is put before its text.
"""

from collections.abc import Callable, Container, Iterator
from pathlib import Path
from reprlib import repr as shown

from edge_st_runtime.errors import InputError, OptionError

from ...input_files import Fields, existing, read_objects, string_field
from ...table_files import placed_cells
from .kinds import RetrievalData

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels"
HEADER = ["query-id", "corpus-id", "score"]
_EXAMPLE = {"_id": "an id", "text": "a text"}


def read_beir(folder: str | Path, split: str | None = None, *, titles: bool = True) -> RetrievalData:
    """Read the documents of a folder, and the queries that have a relevant document in ``split``.

    The queries keep the order of queries.jsonl. ``split`` may be left out where there is only one, or one named "test".
    ``titles`` puts each document's title and a space before its text. If a document is judged twice for a query, the
    last grade counts.

    Raises OptionError where the folder is incomplete or has no such split, InputError, naming file and line, for
    content that is not valid.
    """
    folder = existing(folder)
    split = _split(folder, split)
    qrels = folder / QRELS / f"{split}.tsv"
    queries, corpus = read_queries(folder / QUERIES), read_corpus(folder / CORPUS, titles=titles)
    judged = read_grades(qrels, queries, corpus)
    kept = [query for query in queries if any(grade > 0 for grade in judged.get(query, {}).values())]
    if not kept:
        raise InputError(f"{qrels}: no query has a relevant document; expected lines with a score above 0")
    return RetrievalData(
        name=f"{folder.resolve().name}-{split}",
        queries={query: queries[query] for query in kept},
        corpus=corpus,
        grades={query: judged[query] for query in kept},
    )


def read_corpus(file: Path, *, titles: bool = True) -> dict[str, str]:
    """Read the documents of a JSONL file by id.

    Raises InputError for a line without an id or a text, and for a repeated id.
    """
    return _by_id(file, _titled if titles else _text)


def read_queries(file: Path) -> dict[str, str]:
    """Read the queries of a JSONL file by id; raises InputError as `read_corpus`."""
    return _by_id(file, _text)


def read_grades(file: Path, queries: Container[str], corpus: Container[str]) -> dict[str, dict[str, int]]:
    """Read a file of the folder qrels: the grades by document for each query.

    Raises InputError for wrong columns, for an id that is not in ``queries`` or ``corpus``, and for a score that is not
    an integer.
    """
    grades: dict[str, dict[str, int]] = {}
    folder = file.parent.parent
    for place, query, document, score in _judgements(file):
        _check_known(query, queries, folder / QUERIES, place)
        _check_known(document, corpus, folder / CORPUS, place)
        try:
            grades.setdefault(query, {})[document] = int(score)
        except ValueError:
            raise InputError(f"{place}: score {score!r} is not an integer; expected 1, 0 or another grade") from None
    return grades


def _check_known(key: str, known: Container[str], source: Path, place: str) -> None:
    if key not in known:
        raise InputError(f"{place}: {key!r} is no _id in {source}; expected one that is")


def _judgements(file: Path) -> Iterator[tuple[str, str, str, str]]:
    rows = placed_cells(file)
    place, header = next(rows, (str(file), []))
    if header != HEADER:
        found = ", ".join(map(shown, header)) or "none"
        raise InputError(f"{place}: found the columns {found}; expected the header {' TAB '.join(HEADER)}")
    for place, row in rows:
        if len(row) != len(HEADER):
            raise InputError(f"{place}: {len(row)} columns; expected {' TAB '.join(HEADER)}")
        query, document, score = row
        yield place, query, document, score


def _split(folder: Path, wanted: str | None) -> str:
    splits = sorted(path.stem for path in (folder / QRELS).glob("*.tsv"))
    missing = [name for name in (CORPUS, QUERIES) if not (folder / name).is_file()]
    missing += [] if splits else [f"{QRELS}/SPLIT.tsv"]
    if missing:
        raise OptionError(
            f"{folder} has no {', no '.join(missing)}; a folder is read in BEIR's layout: {CORPUS}, {QUERIES} and "
            f"{QRELS}/SPLIT.tsv"
        )
    split = wanted or (splits[0] if len(splits) == 1 else "test")
    if split not in splits:
        example = folder / QRELS / f"{splits[0]}.tsv"
        raise OptionError(
            f"{folder} has the splits {', '.join(splits)}, but no {split}; name one by its file: {example}"
        )
    return split


def _by_id(file: Path, text: Callable[[Fields, str], str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for place, found in read_objects(file, _EXAMPLE):
        key = string_field(found, "_id", place)
        if key in texts:
            first = next(first for first, other in read_objects(file, _EXAMPLE) if other["_id"] == key)
            raise InputError(f"{place}: _id {key!r} is already in {first}; expected a different one in every line")
        texts[key] = text(found, place)
    return texts


def _text(found: Fields, place: str) -> str:
    return string_field(found, "text", place)


def _titled(found: Fields, place: str) -> str:
    title = string_field(found, "title", place) if found.get("title") is not None else ""
    return f"{title} {_text(found, place)}".strip()
