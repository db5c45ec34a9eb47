"""What an index finds, and which rows it may find."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from edge_st_runtime.arrays import Floats, Ids
from edge_st_runtime.errors import OptionError
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.dense.snapshot import Snapshot

from .rows import Metadata

Filter: TypeAlias = Mapping[str, Any] | Callable[[Metadata], bool]
Hit: TypeAlias = dict[str, Any]
_JSON = (str, int, float, bool, type(None), list, dict)


def accept(given: Filter | None) -> Callable[[Metadata], bool] | None:
    """Whether metadata is what ``given`` asks for, as a function; raises OptionError for what is no filter."""
    if given is None or callable(given):
        return given
    if not isinstance(given, Mapping):
        raise OptionError(
            f"filter is a {type(given).__name__}; expected a dictionary such as {{'lang': 'en'}}, or a function"
        )
    wanted = {
        name: list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
        for name, value in given.items()
    }
    for name, values in wanted.items():
        if not isinstance(name, str) or not all(isinstance(value, _JSON) for value in values):
            raise OptionError(f"filter has {name!r}: {given[name]!r:.40}; expected values as JSON has them, by str")
    return lambda metadata: all(name in metadata and metadata[name] in values for name, values in wanted.items())


def as_hits(snapshot: Snapshot, scores: Floats, rows: Ids) -> list[Hit]:
    """The rows (k,) that one query found, with their scores (k,)."""
    found = zip(rows.tolist(), scores.tolist(), strict=True)
    return [{**as_row(snapshot, row), "score": score} for row, score in found if row != NO_ROW]


def as_row(snapshot: Snapshot, row: int) -> Hit:
    """Id, text (where texts are kept) and metadata of ``row``."""
    text = snapshot.text(row)
    return {
        "corpus_id": snapshot.id(row),
        **({} if text is None else {"text": text}),
        "metadata": snapshot.metadata(row),
    }
