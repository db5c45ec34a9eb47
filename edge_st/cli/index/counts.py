"""What became of the rows that a run was to bring into an index: counted, shown meanwhile, and told in the end."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edge_st_runtime.errors import EdgeSTError

from .filling import ADDED, BLANK, REMOVED, SKIPPED, UPDATED


def as_json(counts: Mapping[str, int]) -> dict[str, int]:
    """Every count, those of nothing included."""
    return {name: counts.get(name, 0) for name in (ADDED, UPDATED, REMOVED, SKIPPED, BLANK)}


def as_text(counts: Mapping[str, int]) -> str:
    """The same in words."""
    return ", ".join(f"{count} {name}" for name, count in as_json(counts).items())


@contextmanager
def saying_how_far(path: str, counts: Mapping[str, int]) -> Iterator[None]:
    """Where the block fails after it brought rows into the index, say how many."""
    try:
        yield
    except (EdgeSTError, OSError, KeyboardInterrupt):
        if any(count for name, count in counts.items() if name != BLANK):
            print(f"edge-st: note: {path}: {as_text(counts)} before it stopped", file=sys.stderr)
        raise


@contextmanager
def progress() -> Iterator[Callable[[int], Any]]:
    """A function to call with the number of rows done, which a terminal shows."""
    if not sys.stderr.isatty():
        yield lambda _rows: None
        return
    from tqdm import tqdm

    with tqdm(unit=" rows") as bar:
        yield bar.update
