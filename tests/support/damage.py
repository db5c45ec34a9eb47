"""Damage files: flip a bit, or change a manifest or a column and correct the checksum."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edge_st_runtime.store.segment_file import Column, read_segment, write_segment
from edge_st_runtime.store.segment_folder import publish


def cut(path: Path, missing: int = 1) -> None:
    path.write_bytes(path.read_bytes()[:-missing])


def flip(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def rewrite(manifest: Path, changes: Callable[[dict[str, Any]], object]) -> None:
    """Change ``manifest`` and correct its checksum."""
    found = json.loads(manifest.read_text())
    del found["sha256"]
    changes(found)
    publish(manifest.parent, manifest.name, found)


def replace_columns(manifest: Path, **columns: NDArray[Any]) -> None:
    """Replace ``columns`` of the same names in the first segment, and correct its checksum."""

    def change(found: dict[str, Any]) -> None:
        entry = found["segments"][0]
        kept = {name: Column.of(array) for name, array in read_segment(manifest.parent, entry).items()}
        entry.update(write_segment(manifest.parent, kept | {name: Column.of(array) for name, array in columns.items()}))

    rewrite(manifest, change)
