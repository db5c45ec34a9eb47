"""What goes into an index, checked whole before any work: texts, ids, metadata and finished embeddings."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import InputError, InputTypeError
from edge_st_runtime.store.dense.segment import Rows
from edge_st_runtime.store.dense.snapshot import encoded_id, hashes_of
from edge_st_runtime.store.dense.strings import Strings

from ..models.inputs import check_texts

Id: TypeAlias = str | int
Metadata: TypeAlias = Mapping[str, Any]
TEXTS, VECTORS = 1024, 65_536
_NOTHING, _END = b"{}", object()


@dataclass(frozen=True, eq=False, slots=True)
class Given:
    """Rows to be: as many ``ids`` and ``metadata`` (JSON) as ``texts`` or ``vectors`` (n, dim), or both."""

    ids: Sequence[Id]
    texts: Sequence[str] | None
    metadata: Sequence[bytes]
    vectors: Floats | None

    def __len__(self) -> int:
        return len(self.ids)

    def portions(self) -> Iterator["Given"]:
        """The same rows, a number at a time that is quickly encoded and written."""
        size = TEXTS if self.vectors is None else VECTORS
        for at in range(0, len(self), size):
            part = slice(at, at + size)
            texts = None if self.texts is None else self.texts[part]
            vectors = None if self.vectors is None else self.vectors[part]
            yield Given(self.ids[part], texts, self.metadata[part], vectors)

    def rows(self, columns: Mapping[str, Any], *, keeps_texts: bool) -> Rows:
        """The rows as an index takes them; ``columns`` are those of their vectors."""
        ids = [encoded_id(found) for found in self.ids]
        texts = [text.encode() for text in self.texts] if keeps_texts and self.texts is not None else None
        return Rows(
            columns,
            Strings.of(ids),
            hashes_of(ids),
            Strings.of(self.metadata),
            None if texts is None else Strings.of(texts),
            None if texts is None else hashes_of(texts),
        )


def check_rows(
    texts: Iterable[str] | None,
    ids: Iterable[Id] | None,
    metadata: Iterable[Metadata | None] | None,
    embeddings: ArrayLike | None,
    first: int,
) -> Given:
    """All rows, checked; ids are counted from ``first`` where there are none.

    Raises InputTypeError for what is no text, id, dictionary or number, and InputError for as many of one as there are
    not of the other, an id that occurs twice, metadata that JSON cannot hold, and embeddings that are not (n, dim) or
    not finite.
    """
    if texts is None and embeddings is None:
        raise InputError("texts and embeddings are both None; expected one of them at least")
    checked = None if texts is None else check_texts(texts, "texts")
    vectors = None if embeddings is None else check_vectors(embeddings)
    count = len(vectors) if checked is None and vectors is not None else len(checked or ())
    if vectors is not None and len(vectors) != count:
        raise InputError(f"embeddings are {len(vectors)} for {count} texts; expected one for each")
    known = check_ids(range(first, first + count) if ids is None else ids)
    if len(known) != count:
        raise InputError(f"ids has {len(known)} items for {count} rows; expected one for each")
    return Given(known, checked, _json(metadata, count), vectors)


def check_ids(ids: Iterable[Id]) -> list[Id]:
    """``ids`` as a list; raises InputTypeError for what is no str or int, InputError for one that occurs twice."""
    if isinstance(ids, str | bytes | int | Mapping) or not isinstance(ids, Iterable):
        raise InputTypeError(f"ids is a {type(ids).__name__} ({ids!r:.40}); expected a list, such as [{ids!r:.40}]")
    known = [_id(found, place) for place, found in enumerate(ids)]
    places: dict[Id, int] = {}
    for place, found in enumerate(known):
        if places.setdefault(found, place) != place:
            raise InputError(
                f"ids[{place}] is {found!r}, as is ids[{places[found]}]; expected one of its own for every row"
            )
    return known


def as_array(embeddings: ArrayLike, name: str) -> NDArray[Any]:
    """``embeddings`` as an array; raises InputError where rows differ in length."""
    try:
        return np.asarray(embeddings)
    except ValueError as error:
        raise InputError(f"{name} is no array of numbers ({error}); expected shape (n, dim)") from error


def check_vectors(embeddings: ArrayLike, name: str = "embeddings") -> Floats:
    """``embeddings`` (n, dim) as float32.

    Raises InputTypeError for what are no numbers, InputError for another shape or numbers that are not finite.
    """
    found = as_array(embeddings, name)
    if found.dtype.kind not in "fiu":
        raise InputTypeError(f"{name} has dtype {found.dtype}; expected numbers, such as float32")
    if found.ndim != 2 or not found.shape[1]:
        raise InputError(f"{name} has shape {found.shape}; expected (n, dim)")
    with np.errstate(over="ignore"):
        found = found.astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(bad):
        raise InputError(
            f"{name}[{bad[0]}] holds NaN or infinity ({len(bad)} of {len(found)} rows do); leave these rows out"
        )
    return found


def in_portions(
    texts: Iterable[str], ids: Iterable[Id] | None, metadata: Iterable[Metadata | None] | None
) -> Iterator[tuple[list[str], list[Any] | None, list[Any] | None]]:
    """The items of iterators that go on together.

    Raises InputError where one ends before the others, InputTypeError for what is no iterable of items.
    """
    others = {"ids": ids, "metadata": metadata}
    running = {name: _iterator(items, name) for name, items in others.items() if items is not None}
    texts, count = iter(texts), 0
    while portion := list(islice(texts, TEXTS)):
        taken = {name: list(islice(items, len(portion))) for name, items in running.items()}
        for name, some in taken.items():
            if len(some) < len(portion):
                raise InputError(f"{name} ended after {count + len(some)} items, texts goes on; expected one for each")
        yield portion, taken.get("ids"), taken.get("metadata")
        count += len(portion)
    for name, items in running.items():
        if next(items, _END) is not _END:
            raise InputError(f"texts ended after {count} items, {name} goes on; expected one for each")


def _iterator(items: Any, name: str) -> Iterator[Any]:
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise InputTypeError(f"{name} is a {type(items).__name__}; expected a list or an iterator, one for each text")
    return iter(items)


def _id(found: Any, place: int) -> Id:
    """An id as JSON takes it."""
    if isinstance(found, bool) or not isinstance(found, str | int | np.integer):
        raise InputTypeError(f"ids[{place}] is {found!r:.40} of type {type(found).__name__}; expected str or int")
    return int(found) if isinstance(found, np.integer) else found


def _json(metadata: Iterable[Metadata | None] | None, count: int) -> list[bytes]:
    if metadata is None:
        return [_NOTHING] * count
    if isinstance(metadata, Mapping | str) or not isinstance(metadata, Sequence):
        raise InputTypeError(
            f"metadata is a {type(metadata).__name__}; expected a list of dictionaries, one for each row"
        )
    if len(metadata) != count:
        raise InputError(f"metadata has {len(metadata)} items for {count} rows; expected one for each")
    return [_NOTHING if found is None else _one(found, place) for place, found in enumerate(metadata)]


def _one(found: Any, place: int) -> bytes:
    if not isinstance(found, Mapping):
        raise InputTypeError(f"metadata[{place}] is a {type(found).__name__}; expected a dictionary or None")
    for key in found:
        if not isinstance(key, str):
            raise InputTypeError(
                f"metadata[{place}] has the key {key!r:.40} of type {type(key).__name__}; expected str"
            )
    try:
        return json.dumps(dict(found), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"metadata[{place}] cannot be written as JSON ({error})") from error
