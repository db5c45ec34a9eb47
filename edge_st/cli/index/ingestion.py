"""Rows into an index: new rows are added, known rows skipped or updated, and an id that occurs twice is refused."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import InputError

from .chunks import Row, chunk_id, first_of, piece_count
from .documents import place_of
from .seen_ids import SeenIds
from .summary import ADDED, REMOVED, SKIPPED, UPDATED

if TYPE_CHECKING:
    from ...index.opening import AnyIndex

#: the metadata that holds a hash of the text, in an index that stores no texts
TEXT_HASH = "text_hash"
_ROWS = 1024


def in_portions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in portions of 1024; raises InputError for an id that occurs twice in a portion."""
    rows = iter(rows)
    while portion := list(islice(rows, _ROWS)):
        places: dict[str | int, str] = {}
        for row in portion:
            if row.id in places:
                raise _double(row, places[row.id])
            places[row.id] = row.place
        yield portion


class Ingestion:
    """One run that brings rows into ``index`` and counts in ``counts`` what it did with them.

    A row whose id and text the index holds is skipped. With ``update`` a row whose text or metadata changed replaces
    the old one, and pieces that a document no longer has are removed.
    """

    def __init__(self, index: "AnyIndex", counts: "Counter[str]", *, update: bool) -> None:
        self._index, self._update, self.counts = index, update, counts
        self._path, self._keeps_texts = index.info()["path"], index.info()["texts"]
        self._seen = SeenIds()
        #: of documents whose last row is still to come: how many pieces they have in the index
        self._pieces: dict[str | int, int] = {}

    def take(self, portion: Sequence[Row]) -> None:
        """Bring ``portion`` into the index.

        Raises InputError, changing nothing, for an id that occurred in this run before, and without ``update`` for an
        id that the index holds with another text.
        """
        rows = [row if self._keeps_texts else _with_hash(row) for row in portion]
        known = self._index.find([row.id for row in rows])
        self._check_ids(rows, known)
        new = [row for row, old in zip(rows, known, strict=True) if old is None]
        changed = [row for row, old in zip(rows, known, strict=True) if old is not None and self._differs(row, old)]
        stale = self._stale(rows, known)
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

    def _check_ids(self, rows: Sequence[Row], known: Sequence[dict[str, Any] | None]) -> None:
        doubles = self._seen.add(_ids(rows))
        for row, old, is_double in zip(rows, known, doubles, strict=True):
            if is_double and old is not None:
                raise _double(row, place_of(old["metadata"]))

    def _differs(self, row: Row, old: dict[str, Any]) -> bool:
        """Whether ``row`` must replace ``old``; raises InputError where it must but is not allowed to."""
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

    def _stale(self, rows: Sequence[Row], known: Sequence[dict[str, Any] | None]) -> list[str | int]:
        """The ids of pieces in the index that documents ending in ``rows`` no longer have."""
        self._pieces |= {
            row.first: piece_count(old["metadata"])
            for row, old in zip(rows, known, strict=True)
            if row.number == 1 and old is not None
        }
        lasts = [row for row in rows if row.is_last]
        following = [chunk_id(row.first, row.number + 1) for row in lasts]  # one for 7 and "7"
        names = list(dict.fromkeys(following))
        found = dict(zip(names, self._index.find(names), strict=True))
        stale = list[str | int]()
        for row, name in zip(lasts, following, strict=True):
            had = self._pieces.pop(row.first, 1)
            if found[name] is not None or had > row.number:
                stale += self._beyond(row, had)
        return stale

    def _beyond(self, last: Row, had: int) -> Iterator[str | int]:
        """The ids of the document's pieces after ``last``: up to number ``had``, then to the first that is missing."""
        number = last.number
        while True:
            number += 1
            name = chunk_id(last.first, number)
            (old,) = self._index.find([name])
            if old is not None and first_of(old["metadata"]) == last.first:
                if not self._update:
                    raise self._other_text(last, name, old)
                yield name
            elif number >= had:
                return

    def _other_document(self, row: Row, old: dict[str, Any]) -> InputError:
        return InputError(
            f"{row.place}: {self._path} holds a row of another document under the id {row.id!r}, from "
            f"{place_of(old['metadata'])}: the further pieces of a long text have the ids ID#2, ID#3 …; give one of "
            "the two documents another id"
        )

    def _other_text(self, row: Row, name: str | int, old: dict[str, Any]) -> InputError:
        return InputError(
            f"{row.place}: {self._path} holds another text under the id {name!r}, from {place_of(old['metadata'])}; "
            "add --update to replace texts that changed, or give the row another id. The pieces of long texts also "
            "change with --max-tokens, --overlap and --no-chunks"
        )


def _double(row: Row, place: str) -> InputError:
    return InputError(
        f"{row.place}: the id {row.id!r} is also that of {place}; expected a different id for every row "
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
