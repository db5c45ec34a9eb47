"""What a run did with its rows: counts, a progress bar, and a note where the run fails."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edge_st_runtime.errors import EdgeSTError

ADDED, UPDATED, REMOVED, SKIPPED, BLANK = "added", "updated", "removed", "skipped", "blank"


def as_json(counts: Mapping[str, int]) -> dict[str, int]:
    """Every count, also those that are 0."""
    return {name: counts.get(name, 0) for name in (ADDED, UPDATED, REMOVED, SKIPPED, BLANK)}


def as_text(counts: Mapping[str, int]) -> str:
    """Every count, as in "3 added, 0 updated, …"."""
    return ", ".join(f"{count} {name}" for name, count in as_json(counts).items())


@contextmanager
def note_on_failure(path: str, counts: Mapping[str, int]) -> Iterator[None]:
    """If the block fails after rows were brought into the index, print how many they are."""
    try:
        yield
    except (EdgeSTError, OSError, KeyboardInterrupt):
        if any(count for name, count in counts.items() if name != BLANK):
            print(f"edge-st: note: {path}: {as_text(counts)} before it stopped", file=sys.stderr)
        raise


@contextmanager
def row_progress() -> Iterator[Callable[[int], Any]]:
    """A function to call with the number of rows done; a terminal shows them in a bar."""
    if not sys.stderr.isatty():
        yield lambda _rows: None
        return
    from tqdm import tqdm

    with tqdm(unit=" rows") as bar:
        yield bar.update
