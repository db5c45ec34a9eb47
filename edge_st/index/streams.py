"""Texts, ids and metadata from iterators, read one portion at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from numpy.typing import ArrayLike

from edge_st_runtime.checks import check_ordered
from edge_st_runtime.errors import InputError, InputTypeError

from .ids import Id
from .rows import TEXTS, Metadata

_END = object()


def read_portions(
    texts: Iterator[str],
    ids: Iterable[Id] | None,
    metadata: Iterable[Metadata | None] | None,
    embeddings: ArrayLike | None,
) -> Iterator[tuple[list[str], list[Any] | None, list[Any] | None]]:
    """Up to 1024 texts at a time, with their ids and metadata.

    Raises InputTypeError for ``embeddings``, which cannot be matched with an iterator, and for ids or metadata that
    are not in an order; InputError where texts, ids and metadata differ in number.
    """
    check_streams(ids, metadata, embeddings)
    others = {"ids": ids, "metadata": metadata}
    iterators = {name: iter(items) for name, items in others.items() if items is not None}
    count = 0
    while portion := list(islice(texts, TEXTS)):
        taken = {name: list(islice(items, len(portion))) for name, items in iterators.items()}
        for name, items in taken.items():
            if len(items) < len(portion):
                raise InputError(
                    f"{name} ended after {count + len(items)} items, but there are more texts; expected one for each"
                )
        yield portion, taken.get("ids"), taken.get("metadata")
        count += len(portion)
    for name, left in iterators.items():
        if next(left, _END) is not _END:
            raise InputError(f"texts ended after {count} items, but there are more {name}; expected one for each")


def check_streams(
    ids: Iterable[Id] | None, metadata: Iterable[Metadata | None] | None, embeddings: ArrayLike | None
) -> None:
    """Raise InputTypeError for what cannot come with texts that are an iterator, as `read_portions` says."""
    for name, items in (("ids", ids), ("metadata", metadata)):
        if items is not None:
            check_ordered(name, items, "expected a list or an iterator, one for each text")
    if embeddings is not None:
        raise InputTypeError("texts is an iterator; expected a list of texts, one for each of the embeddings")
