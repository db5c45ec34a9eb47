"""The content of a vector index at one moment: it never changes, and any number of threads may search it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ids
from ...errors import DamagedFileError
from ...search.best import NO_ROW
from ...search.codes import PRECISIONS
from ...search.scan import Part, rescored, scan
from ...vectors.similarity import FUNCTIONS, Similarity, SimilarityFunction
from ..segment_file import REPAIR
from .segment import Layout, Segment
from .strings import Strings, content_hash

Id: TypeAlias = str | int
Metadata: TypeAlias = Mapping[str, Any]
Accept: TypeAlias = Callable[[Metadata], bool]
_FEW_ROWS = 10_000
_SPARE = 16  # further candidates, for rows whose exact scores equal that of the last


@dataclass(frozen=True)
class SearchOptions:
    """Which rows a search may find, and how many candidates it rescores.

    A row must be among ``rows`` (n,) and its metadata must be accepted by ``accept``, where these are given, and its
    score must be ``threshold`` or more. ``multiplier`` times ``top_k`` rows are rescored; None: as many as the
    precision needs.
    """

    accept: Accept | None = None
    rows: Ids | None = None
    threshold: float | None = None
    multiplier: int | None = None


class Snapshot:
    """The ``segments`` of an index, with their ``layout`` and the index's ``settings``.

    Rows are numbered through all segments, deleted rows included. All methods raise DamagedFileError where they meet a
    damaged file.
    """

    def __init__(self, layout: Layout, segments: Sequence[Segment], settings: Mapping[str, Any]) -> None:
        self.layout, self.segments, self.settings = layout, tuple(segments), settings
        self.starts = np.cumsum([0, *map(len, segments)])
        self._count = sum(segment.count for segment in segments)

    def __len__(self) -> int:
        return self._count

    @property
    def numbered(self) -> list[tuple[Segment, int]]:
        """Each segment with the number of its first row."""
        return list(zip(self.segments, self.starts[:-1].tolist(), strict=True))

    def search(
        self, queries: Floats, top_k: int, similarity: SimilarityFunction, wanted: SearchOptions = SearchOptions()
    ) -> tuple[Floats, Ids]:
        """Scores (queries, k) float32 and rows (queries, k) int64 of each query's best rows, best first.

        k is ``top_k``, or the number of rows if that is less. Where fewer rows are found, the rest is filled with minus
        infinity and -1.
        """
        top_k = min(top_k, len(self))
        every_pair, pairwise = FUNCTIONS[similarity]
        candidates = self._candidates(queries, top_k, every_pair, wanted)
        return rescored(queries, candidates, self.vectors, top_k, pairwise, wanted.threshold)

    def _candidates(self, queries: Floats, top_k: int, similarity: Similarity, wanted: SearchOptions) -> Ids:
        rows = wanted.rows
        if rows is not None and len(rows) <= _FEW_ROWS:
            if wanted.accept is not None:
                rows = np.array([row for row in rows.tolist() if wanted.accept(self.metadata(row))], dtype=np.int64)
            return np.broadcast_to(rows, (len(queries), len(rows)))
        parts = [Part(segment.codes, start, self._allowed(segment, start, wanted)) for segment, start in self.numbered]
        precision = PRECISIONS[self.layout.precision]
        count = top_k * wanted.multiplier if wanted.multiplier else precision.candidates(top_k)
        return scan(parts, queries, min(count + _SPARE, len(self)), similarity)

    def _allowed(self, segment: Segment, start: int, wanted: SearchOptions) -> NDArray[np.bool_] | None:
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

    def vectors(self, rows: Ids) -> Floats:
        """The vectors (n, dim) of ``rows`` (n,), decoded from the finest stored precision."""
        if len(self.segments) == 1:
            return self.segments[0].finest.vectors(rows)
        found = np.empty((len(rows), self.layout.dim), dtype=np.float32)
        for segment, here, local in self._by_segment(rows):
            found[here] = segment.finest.vectors(local)
        return found

    def columns(self, rows: Ids) -> dict[str, NDArray[Any]]:
        """The stored columns of the vectors of ``rows`` (n,)."""
        found = self.layout.encode(np.zeros((len(rows), self.layout.dim), dtype=np.float32))
        for segment, here, local in self._by_segment(rows):
            for name, column in found.items():
                column[here] = segment.column(name, local)
        return found

    def _by_segment(self, rows: Ids) -> Iterator[tuple[Segment, NDArray[np.bool_], Ids]]:
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

    def _at(self, row: int) -> tuple[Segment, int]:
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
