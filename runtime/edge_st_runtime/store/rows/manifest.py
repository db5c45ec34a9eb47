"""The manifest of an index: its checks, the segments that it lists, and which of them to merge."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DamagedFileError
from ...files.fields import Fields
from ..segment_file import REPAIR, Entry, checked_column, read_segment, verify_segment
from ..segment_folder import listed
from .layout import Layout, V
from .segment import Segment

DELETED_ROWS = "rows"
_MERGED = 8
_MOST_DIMENSIONS, _MOST_ROWS = 2**20, 2**31 - 1


def check_manifest(path: Path, manifest: Mapping[str, Any], similarities: Collection[str]) -> Fields:
    """The settings in ``manifest``, the content of ``path``.

    Raises DamagedFileError where what all indexes have in common, such as the similarity and the numbers of rows, is
    not as an index writes it.
    """
    fields = Fields(manifest, path, REPAIR)
    fields.count("added")
    for segment in fields.objects("segments"):
        segment.count("rows", 1, _MOST_ROWS)
    settings = fields.object("settings")
    settings.choice("similarity", similarities)
    model = settings.optional_object("model")
    if model is not None:
        model.text("name")
        model.text("fingerprint")
    return settings


def dimensions(settings: Fields) -> int:
    """The number of dimensions in ``settings``; raises DamagedFileError where there is none that can be."""
    return settings.count("dim", 1, _MOST_DIMENSIONS)


def open_segment(folder: Path, layout: Layout[V], entry: Entry) -> Segment[V]:
    """The segment of ``entry``, memory-mapped; raises DamagedFileError or MissingFileError."""
    columns, allowed = read_segment(folder, entry), _allowed(folder, entry)
    try:
        return Segment(layout, columns, entry["rows"], allowed)
    except DamagedFileError as error:
        raise DamagedFileError(f"{folder / entry['name']}: {error}") from error


def _allowed(folder: Path, entry: Entry) -> NDArray[np.bool_] | None:
    """For each row of ``entry``, whether it is not deleted; None if no row is deleted.

    The list of deleted rows is read whole, so its checksum is checked here.
    """
    deleted, rows = entry.get("deleted"), entry["rows"]
    if not deleted:
        return None
    verify_segment(folder, deleted)
    dead = checked_column(read_segment(folder, deleted), DELETED_ROWS, np.int32, folder / deleted["name"])
    if not ((dead >= 0) & (dead < rows)).all():
        raise DamagedFileError(f"{folder / deleted['name']} deletes rows beyond {rows}; {REPAIR}")
    allowed = np.ones(rows, dtype=bool)
    allowed[dead] = False
    return allowed


def merged_from(sizes: Sequence[int]) -> int:
    """The number of the first segment to merge with all after it; that of the last segment if none is to be merged.

    ``sizes`` are the rows of each segment. A segment's tier is the power of eight up to its size (1, 8, 64 … rows).
    Once the last eight segments are of one tier or smaller, they are merged; the result may be the eighth of the next
    tier, and so on.
    """
    start = first = len(sizes) - 1
    while True:
        tier = _tier(sum(sizes[start:]))
        while first and _tier(sizes[first - 1]) <= tier:
            first -= 1
        if start - first < _MERGED - 1:
            return start
        start = first


def _tier(rows: int) -> int:
    return int(math.log(max(rows, 1), _MERGED))


def names(manifest: Mapping[str, Any]) -> dict[str, Entry]:
    """The entry of every file that ``manifest`` lists, by name."""
    return {entry["name"]: entry for entry in listed(manifest)}
