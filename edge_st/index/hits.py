"""Rows of an index as callers get them: dictionaries with id, text, metadata and score."""

from typing import Any, TypeAlias

from edge_st_runtime.arrays import Floats, Ids
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.rows.snapshot import Snapshot

Hit: TypeAlias = dict[str, Any]


def as_hits(snapshot: Snapshot[Any, Any], scores: Floats, rows: Ids) -> list[Hit]:
    """The rows (k,) that one query found, with their scores (k,)."""
    found = zip(rows.tolist(), scores.tolist(), strict=True)
    return [{**as_row(snapshot, row), "score": score} for row, score in found if row != NO_ROW]


def as_row(snapshot: Snapshot[Any, Any], row: int) -> Hit:
    """The id, the text (where the index stores texts) and the metadata of ``row``."""
    text = snapshot.text(row)
    return {
        "corpus_id": snapshot.id(row),
        **({} if text is None else {"text": text}),
        "metadata": snapshot.metadata(row),
    }
