"""The segments that a change writes: those with rows marked as deleted, and a new one for merged and added rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import Ids
from ..segment_file import Column, Entry, verify_segment, write_segment
from .layout import Layout, V
from .manifest import DELETED_ROWS
from .segment import Part, Rows, Segment, columns_of
from .snapshot import Snapshot


def rows_by_segment(snapshot: Snapshot[Any, Any], rows: Ids) -> list[Ids]:
    """``rows`` (n,), numbered through all segments, as the row numbers within each segment."""
    bounds = [(start, start + len(segment)) for segment, start in snapshot.numbered]
    return [rows[(rows >= start) & (rows < end)] - start for start, end in bounds]


def write_change(
    folder: Path,
    snapshot: Snapshot[Any, V],
    entries: Sequence[Entry],
    deleted: Sequence[Ids],
    merged: int,
    new: Rows[V] | None = None,
) -> list[Entry]:
    """Write the files of a change to ``folder``; return the entries of all segments after it.

    ``entries`` are those of the segments of ``snapshot``, ``deleted`` the rows to delete from each. The segments from
    number ``merged`` on and the ``new`` rows become one segment. Raises DamagedFileError where a file to merge is not
    as it was written.
    """
    for entry in entries[merged:]:
        verify_segment(folder, entry)
    parts: list[Part[V]] = [
        (segment, np.setdiff1d(segment.live, rows))
        for segment, rows in zip(snapshot.segments[merged:], deleted[merged:], strict=True)
    ]
    if new is not None:
        parts.append((new, np.arange(len(new))))
    unmerged = zip(entries[:merged], snapshot.segments, deleted, strict=False)
    marked = [entry for each in unmerged for entry in _without(folder, *each)]
    return [*marked, *_written(folder, snapshot.layout, parts)]


def _without(folder: Path, entry: Entry, segment: Segment[Any], rows: Ids) -> list[Entry]:
    """``entry`` with ``rows`` marked as deleted too; no entry if no other row is left."""
    if not len(rows):
        return [entry]
    live = np.setdiff1d(segment.live, rows)
    if not len(live):
        return []
    dead = np.setdiff1d(np.arange(len(segment)), live).astype(np.int32)
    return [{**entry, "deleted": write_segment(folder, {DELETED_ROWS: Column.of(dead)})}]


def _written(folder: Path, layout: Layout[V], parts: Sequence[Part[V]]) -> list[Entry]:
    """The entry of a new segment with the rows of ``parts``; none if there are no rows."""
    rows = sum(len(rows) for _, rows in parts)
    if not rows:
        return []
    return [{**write_segment(folder, columns_of(layout, parts)), "rows": rows, "deleted": None}]
