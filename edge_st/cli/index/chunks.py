"""From documents to the rows of an index: a long text becomes several, called after its first."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from edge_st_runtime.text.splitting import Chunk

from .documents import Document

#: texts → the pieces of each
Split: TypeAlias = Callable[[Sequence[str]], list[list[Chunk]]]
_TEXTS, _CHARACTERS = 1024, 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """What an index will hold: piece ``number`` of the document whose first is called ``first``, counted from 1."""

    id: str | int
    text: str
    metadata: Mapping[str, Any]
    place: str
    first: str | int
    number: int
    is_last: bool


def chunk_id(first: str | int, number: int) -> str | int:
    """What piece ``number`` of a document is called, counted from 1, whose first is called ``first``."""
    return first if number == 1 else f"{first}#{number}"


def first_of(metadata: Mapping[str, Any]) -> str | int | None:
    """What the first piece is called of which a row is a further one; None for a row that is none."""
    found: str | int | None = metadata.get("of")
    return found


def piece_count(metadata: Mapping[str, Any]) -> int:
    """How many pieces the text has whose first a row is, or which it is whole."""
    found: int = metadata.get("pieces", 1)
    return found


def as_rows(documents: Iterable[Document], split: Split | None, blank: Callable[[], None]) -> Iterator[Row]:
    """The rows of each document, in order, in bounded memory; ``blank`` is called for each that has no text.

    ``split`` None takes every text whole.
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
        belongs = {"pieces": len(pieces)} if number == 1 else {"of": document.id}
        metadata = {**document.metadata, "line": line, "start": piece.start, "end": piece.end, **belongs}
        yield _row(document, number, piece.text, metadata, is_last=number == len(pieces))


def _lines(document: Document, pieces: Sequence[Chunk]) -> list[int]:
    """The line of a file in which each piece begins; that of its row where a text is a field of one."""
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
