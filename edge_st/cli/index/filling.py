"""Rows into an index: new ones are added, those it holds are left alone or replaced, and doubles refused."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_st_runtime.errors import InputError
from edge_st_runtime.store.dense.snapshot import encoded_id, hashes_of

from .chunks import Row, chunk_id, first_of, piece_count
from .documents import place_of

if TYPE_CHECKING:
    from edge_st import Index

ADDED, UPDATED, SKIPPED, REMOVED, BLANK = "added", "updated", "skipped", "removed", "blank"
#: metadata by which a text is known again in an index that keeps none
TEXT_HASH = "text_hash"
_ROWS = 1024


def in_portions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows, a number at a time that is quickly written; raises InputError for an id that occurs twice in one."""
    rows = iter(rows)
    while portion := list(islice(rows, _ROWS)):
        places: dict[str | int, str] = {}
        for row in portion:
            if row.id in places:
                raise _double(row, places[row.id])
            places[row.id] = row.place
        yield portion


class Filling:
    """One run that fills ``index``; ``counts`` says what became of the rows.

    A row with the id and the text of one in the index is skipped. With ``update`` one with an id that is there
    replaces what is there, unless that is the same, and rows that a document has no longer are removed.
    """

    def __init__(self, index: "Index", counts: "Counter[str]", *, update: bool) -> None:
        self._index, self._update, self.counts = index, update, counts
        self._path, self._keeps_texts = index.info()["path"], index.info()["texts"]
        self._seen = _Seen()
        #: how many pieces the documents had that do not end yet
        self._pieces: dict[str | int, int] = {}

    def take(self, portion: Sequence[Row]) -> None:
        """Bring ``portion`` into the index; raises InputError, changing nothing, where an id is there already.

        That is, with another text and without ``update``, or from this same run.
        """
        rows = [row if self._keeps_texts else _with_hash(row) for row in portion]
        there = self._index.find([row.id for row in rows])
        self._check_seen(rows, there)
        new = [row for row, old in zip(rows, there, strict=True) if old is None]
        changed = [row for row, old in zip(rows, there, strict=True) if old is not None and self._differs(row, old)]
        stale = self._stale(rows, there)
        if new:
            self._index.add(_texts(new), _ids(new), _metadata(new), show_progress_bar=False)
            self.counts[ADDED] += len(new)
        if changed:
            self._index.update(_ids(changed), _texts(changed), _metadata(changed), show_progress_bar=False)
            self.counts[UPDATED] += len(changed)
        if stale:
            self._index.delete(stale)
            self.counts[REMOVED] += len(stale)
        self.counts[SKIPPED] += len(rows) - len(new) - len(changed)

    def _check_seen(self, rows: Sequence[Row], there: Sequence[dict[str, Any] | None]) -> None:
        doubles = self._seen.take(_ids(rows))
        for row, old, is_double in zip(rows, there, doubles, strict=True):
            if is_double and old is not None:
                raise _double(row, place_of(old["metadata"]))

    def _differs(self, row: Row, old: dict[str, Any]) -> bool:
        """Whether ``row`` must replace ``old``; raises InputError where it may not."""
        if self._keeps_texts:
            same = old["text"] == row.text
        else:
            same = old["metadata"].get(TEXT_HASH) == row.metadata[TEXT_HASH]
        if first_of(old["metadata"]) != first_of(row.metadata):
            raise self._other_document(row, old)
        if self._update:
            return not same or old["metadata"] != row.metadata
        if not same:
            raise self._other_text(row, row.id, old)
        return False

    def _stale(self, rows: Sequence[Row], there: Sequence[dict[str, Any] | None]) -> list[str | int]:
        """Rows in the index of documents that end here, beyond their ends."""
        self._pieces |= {
            row.first: piece_count(old["metadata"])
            for row, old in zip(rows, there, strict=True)
            if row.number == 1 and old is not None
        }
        lasts = [row for row in rows if row.is_last]
        following = [chunk_id(row.first, row.number + 1) for row in lasts]  # one for 7 and "7"
        names = list(dict.fromkeys(following))
        found = dict(zip(names, self._index.find(names), strict=True))
        stale = list[str | int]()
        for row, name in zip(lasts, following, strict=True):
            known = self._pieces.pop(row.first, 1)
            if found[name] is not None or known > row.number:
                stale += self._beyond(row, known)
        return stale

    def _beyond(self, last: Row, known: int) -> Iterator[str | int]:
        """Further pieces than ``last`` of the same document: as many as it had, and what follows without a gap."""
        number = last.number
        while True:
            number += 1
            name = chunk_id(last.first, number)
            (old,) = self._index.find([name])
            if old is not None and first_of(old["metadata"]) == last.first:
                if not self._update:
                    raise self._other_text(last, name, old)
                yield name
            elif number >= known:
                return

    def _other_document(self, row: Row, old: dict[str, Any]) -> InputError:
        return InputError(
            f"{row.place}: {self._path} holds another document's row by the id {row.id!r}, from "
            f"{place_of(old['metadata'])}: further pieces of a long text are called ID#2, ID#3 …; give one of them "
            "another id"
        )

    def _other_text(self, row: Row, name: str | int, old: dict[str, Any]) -> InputError:
        return InputError(
            f"{row.place}: {self._path} holds another text by the id {name!r}, from {place_of(old['metadata'])}; to "
            "replace what changed add --update, else give the row an id of its own. The pieces of long texts change "
            "with --max-tokens, --overlap and --no-chunks, too"
        )


class _Seen:
    """The ids that a run has had, eight bytes each: arrays of hashes, each shorter than the one before."""

    def __init__(self) -> None:
        self._sorted: list[np.ndarray[Any, np.dtype[np.uint64]]] = []

    def take(self, ids: Iterable[str | int]) -> list[bool]:
        """Whether each was there before; all are there now."""
        hashes = hashes_of([encoded_id(found) for found in ids])
        known = np.zeros(len(hashes), dtype=bool)
        for those in self._sorted:
            known |= those[np.minimum(np.searchsorted(those, hashes), len(those) - 1)] == hashes
        self._sorted.append(np.sort(hashes))
        while len(self._sorted) > 1 and len(self._sorted[-2]) <= len(self._sorted[-1]):
            last = self._sorted.pop()
            self._sorted[-1] = np.sort(np.concatenate([self._sorted[-1], last]))
        return known.tolist()


def _double(row: Row, place: str) -> InputError:
    return InputError(
        f"{row.place}: the id {row.id!r} is that of {place}, too; expected one of its own for every row "
        "(choose the field with --id-field)"
    )


def _with_hash(row: Row) -> Row:
    digest = hashlib.blake2b(row.text.encode(), digest_size=16).hexdigest()
    return replace(row, metadata={**row.metadata, TEXT_HASH: digest})


def _ids(rows: Sequence[Row]) -> list[str | int]:
    return [row.id for row in rows]


def _texts(rows: Sequence[Row]) -> list[str]:
    return [row.text for row in rows]


def _metadata(rows: Sequence[Row]) -> list[Any]:
    return [row.metadata for row in rows]
