"""The content of an index at one moment: it never changes, and any number of threads may read it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...arrays import Ids
from ...errors import DamagedFileError
from ...search.best import NO_ROW
from ..segment_file import REPAIR
from .layout import Layout, V
from .segment import Segment
from .strings import Strings, content_hash

Id: TypeAlias = str | int
Metadata: TypeAlias = Mapping[str, Any]
Accept: TypeAlias = Callable[[Metadata], bool]
L = TypeVar("L", bound=Layout[Any])
_FEW_ROWS = 10_000


@dataclass(frozen=True)
class SearchOptions:
    """Which rows a search may find, and how many candidates it scores exactly.

    A row must be among ``rows`` (n,) and its metadata must be accepted by ``accept``, where these are given, and its
    score must be ``threshold`` or more. ``candidates`` rows are scored exactly; None: as many as the vectors' precision
    needs.
    """

    accept: Accept | None = None
    rows: Ids | None = None
    threshold: float | None = None
    candidates: int | None = None


EVERY_ROW = SearchOptions()


class Snapshot(Generic[L, V]):
    """The ``segments`` of an index, with their ``layout`` and the index's ``settings``.

    Rows are numbered through all segments, deleted rows included. All methods raise DamagedFileError where they meet a
    damaged file.
    """

    def __init__(self, layout: L, segments: Sequence[Segment[V]], settings: Mapping[str, Any]) -> None:
        self.layout, self.segments, self.settings = layout, tuple(segments), settings
        self.starts = np.cumsum([0, *map(len, segments)])
        self._count = sum(segment.count for segment in segments)

    def __len__(self) -> int:
        return self._count

    @property
    def numbered(self) -> list[tuple[Segment[V], int]]:
        """Each segment with the number of its first row."""
        return list(zip(self.segments, self.starts[:-1].tolist(), strict=True))

    def few(self, wanted: SearchOptions) -> Ids | None:
        """The rows (n,) that ``wanted`` allows, where it names few; None where all segments are to be searched."""
        rows = wanted.rows
        if rows is None or len(rows) > _FEW_ROWS:
            return None
        if wanted.accept is not None:
            rows = np.array([row for row in rows.tolist() if wanted.accept(self.metadata(row))], dtype=np.int64)
        return rows

    def allowed(self, segment: Segment[Any], start: int, wanted: SearchOptions) -> NDArray[np.bool_] | None:
        """For each row of ``segment``, whether it may be found; None: all may be found."""
        masks = [] if segment.allowed is None else [segment.allowed]
        if wanted.accept is not None:
            numbers = range(len(segment.metadata))
            accepted = np.array([bool(wanted.accept(_json(segment.metadata, row))) for row in numbers], dtype=bool)
            with _damage():
                masks.append(accepted[segment.metadata_rows])
        if wanted.rows is not None:
            mine = np.zeros(len(segment), dtype=bool)
            mine[wanted.rows[(wanted.rows >= start) & (wanted.rows < start + len(segment))] - start] = True
            masks.append(mine)
        return np.logical_and.reduce(masks) if masks else None

    def stored(self, rows: Ids) -> V:
        """The vectors of ``rows`` (n,) as they are stored."""
        parts = list(self.by_segment(rows))
        found = self.layout.joined([(segment.vectors, local) for segment, _, local in parts])
        places = np.concatenate([np.empty(0, dtype=np.int64), *(np.flatnonzero(here) for _, here, _ in parts)])
        return self.layout.joined([(found, np.argsort(places))])

    def by_segment(self, rows: Ids) -> Iterator[tuple[Segment[V], NDArray[np.bool_], Ids]]:
        """Each segment that holds some of ``rows`` (n,), which of them (n,), and their numbers within it."""
        places = np.searchsorted(self.starts, rows, side="right") - 1
        for place in np.unique(places).tolist():
            here = places == place
            yield self.segments[place], here, rows[here] - self.starts[place]

    def find(self, ids: Sequence[bytes]) -> Ids:
        """The row (n,) of each of ``ids``, which are encoded by `encoded_id`; -1 for an id that no row has."""
        hashes = hashes_of(ids)
        rows = np.full(len(ids), NO_ROW)
        for segment, start in self.numbered:
            for place, row in segment.id_keys.find(hashes):
                if (segment.allowed is None or segment.allowed[row]) and segment.ids[row] == ids[place]:
                    rows[place] = start + row
        return rows

    def encoded(self, texts: Sequence[bytes]) -> Ids:
        """For each text, the number (n,) of a row with the same text; -1 where there is none.

        It may be a deleted row: its vector can still be copied.
        """
        rows = np.full(len(texts), NO_ROW)
        if self.layout.texts:
            hashes = hashes_of(texts)
            for segment, start in self.numbered:
                assert segment.text_keys is not None
                assert segment.texts is not None
                for place, row in segment.text_keys.find(hashes):
                    if rows[place] == NO_ROW and segment.texts[row] == texts[place]:
                        rows[place] = start + row
        return rows

    def rows(self) -> Ids:
        """All rows that are not deleted (n,)."""
        return np.concatenate(
            [np.empty(0, dtype=np.int64), *(segment.live + start for segment, start in self.numbered)]
        )

    def ids(self, rows: Ids) -> list[bytes]:
        """The ids of ``rows`` (n,), encoded as `find` takes them."""
        return [segment.ids[local] for segment, local in map(self._at, rows.tolist())]

    def id(self, row: int) -> Id:
        """The id of ``row``."""
        segment, local = self._at(row)
        found: Id = _json(segment.ids, local)
        return found

    def metadata(self, row: int) -> Metadata:
        """The metadata of ``row``, empty where it has none."""
        segment, local = self._at(row)
        found: Metadata = _json(segment.metadata, int(segment.metadata_rows[local]))
        return found

    def text(self, row: int) -> str | None:
        """The text of ``row``, None where texts are not stored."""
        segment, local = self._at(row)
        with _damage():
            return None if segment.texts is None else segment.texts[local].decode()

    def _at(self, row: int) -> tuple[Segment[V], int]:
        place = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self.segments[place], row - int(self.starts[place])


def _json(strings: Strings, row: int) -> Any:
    with _damage():
        return json.loads(strings[row])


@contextmanager
def _damage() -> Iterator[None]:
    """Turn the errors that reading a damaged file leads to into a DamagedFileError."""
    try:
        yield
    except (ValueError, IndexError) as error:
        raise DamagedFileError(
            f"a segment was changed since it was written ({error}); find the file with verify(), then {REPAIR}"
        ) from error


def encoded_id(found: Id) -> bytes:
    """An id as it is stored; 1 and "1" are different ids."""
    return json.dumps(found).encode()


def hashes_of(contents: Iterable[bytes]) -> NDArray[np.uint64]:
    """The `content_hash` (n,) uint64 of each of ``contents``."""
    return np.fromiter(map(content_hash, contents), dtype=np.uint64)
