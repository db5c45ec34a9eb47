"""Documents into the rows of an index: a long text is split into pieces, one row for each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from edge_st_runtime.text.splitting import Chunk

from .documents import Document

#: a function of texts that returns the pieces of each
Split: TypeAlias = Callable[[Sequence[str]], list[list[Chunk]]]
_TEXTS, _CHARACTERS = 1024, 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """A row for an index: piece ``number``, counted from 1, of the document whose first piece has the id ``first``.

    ``place`` is where the text stands, for messages; ``is_last`` is True for the last piece of the document.
    """

    id: str | int
    text: str
    metadata: Mapping[str, Any]
    place: str
    first: str | int
    number: int
    is_last: bool


def chunk_id(first: str | int, number: int) -> str | int:
    """The id of piece ``number``, counted from 1, of the document whose first piece has the id ``first``."""
    return first if number == 1 else f"{first}#{number}"


def first_of(metadata: Mapping[str, Any]) -> str | int | None:
    """The id of the first piece, for a row that is a further piece; None for any other row."""
    found: str | int | None = metadata.get("of")
    return found


def piece_count(metadata: Mapping[str, Any]) -> int:
    """The number of pieces of a text, by the metadata of its first piece; 1 for a text that was not split."""
    found: int = metadata.get("pieces", 1)
    return found


def as_rows(documents: Iterable[Document], split: Split | None, blank: Callable[[], None]) -> Iterator[Row]:
    """The rows of each document, in order, in bounded memory; ``split`` None leaves texts whole.

    ``blank`` is called for each document without text, which gives no row.
    """
    for batch in _batches(documents, blank):
        if split is None:
            yield from (_row(document, 1, document.text, document.metadata, is_last=True) for document in batch)
        else:
            for document, pieces in zip(batch, split([document.text for document in batch]), strict=True):
                yield from _chunks(document, pieces)


def _chunks(document: Document, pieces: Sequence[Chunk]) -> Iterator[Row]:
    if len(pieces) == 1:
        yield _row(document, 1, pieces[0].text if document.is_file else document.text, document.metadata, is_last=True)
        return
    lines = _lines(document, pieces)
    for number, (piece, line) in enumerate(zip(pieces, lines, strict=True), 1):
        relation = {"pieces": len(pieces)} if number == 1 else {"of": document.id}
        metadata = {**document.metadata, "line": line, "start": piece.start, "end": piece.end, **relation}
        yield _row(document, number, piece.text, metadata, is_last=number == len(pieces))


def _lines(document: Document, pieces: Sequence[Chunk]) -> list[int]:
    """The line in which each piece begins; for a text in a field, the line of its row."""
    lines = [document.metadata["line"]]
    if not document.is_file:
        return lines * len(pieces)
    for before, here in pairwise([0, *(piece.start for piece in pieces)]):
        lines.append(lines[-1] + document.text.count("\n", before, here))
    return lines[1:]


def _row(document: Document, number: int, text: str, metadata: Mapping[str, Any], *, is_last: bool) -> Row:
    return Row(chunk_id(document.id, number), text, metadata, document.place, document.id, number, is_last)


def _batches(documents: Iterable[Document], blank: Callable[[], None]) -> Iterator[list[Document]]:
    batch, characters = list[Document](), 0
    for document in documents:
        if not document.text.strip():
            blank()
            continue
        batch.append(document)
        characters += len(document.text)
        if len(batch) == _TEXTS or characters >= _CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
