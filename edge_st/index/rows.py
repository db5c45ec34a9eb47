"""New rows of an index: texts, ids, metadata and embeddings, checked as a whole before any work."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from edge_st_runtime.checks import described
from edge_st_runtime.errors import InputError, InputTypeError
from edge_st_runtime.store.rows.layout import V
from edge_st_runtime.store.rows.segment import Rows
from edge_st_runtime.store.rows.snapshot import encoded_id, hashes_of
from edge_st_runtime.store.rows.strings import Strings
from edge_st_runtime.unicode import check_unicode

from ..models.inputs import check_texts
from .ids import Id, new_ids

Metadata: TypeAlias = Mapping[str, Any]
#: how many texts are encoded and written at once
TEXTS = 1024
_NO_METADATA = b"{}"


@dataclass(frozen=True, eq=False, slots=True)
class NewRows:
    """Checked rows: ``ids``, ``metadata`` as JSON, and ``texts`` or ``vectors`` of the index's kind or both."""

    ids: list[Id]
    texts: Sequence[str] | None
    metadata: Sequence[bytes]
    vectors: Any

    def __len__(self) -> int:
        return len(self.ids)

    def portions(self, size: int) -> Iterator["NewRows"]:
        """The same rows, divided into portions of ``size``; of `TEXTS` where they have no vectors yet."""
        size = TEXTS if self.vectors is None else size
        for at in range(0, len(self), size):
            part = slice(at, at + size)
            texts = None if self.texts is None else self.texts[part]
            vectors = None if self.vectors is None else self.vectors[part]
            yield NewRows(self.ids[part], texts, self.metadata[part], vectors)

    def stored(self, vectors: V, *, keeps_texts: bool) -> Rows[V]:
        """The rows as the store takes them, with their ``vectors`` as it stores them."""
        ids = [encoded_id(found) for found in self.ids]
        texts = [text.encode() for text in self.texts] if keeps_texts and self.texts is not None else None
        return Rows(
            vectors,
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
    vectors: Any = None,
    *,
    next_id: int = 0,
) -> NewRows:
    """All rows, checked; ``vectors`` are so already. Without ``ids`` they are numbered from ``next_id``.

    Raises InputTypeError for a text, id or dictionary of another type. Raises InputError where texts, ids, metadata and
    vectors differ in number, for an id that occurs twice, and for metadata that JSON cannot hold.
    """
    if texts is None and vectors is None:
        raise InputError("texts and embeddings are both None; expected one of them at least")
    checked = None if texts is None else check_texts(texts, "texts")
    count = len(vectors) if checked is None and vectors is not None else len(checked or ())
    if vectors is not None and len(vectors) != count:
        raise InputError(f"embeddings has {len(vectors)} rows for {count} texts; expected one for each")
    known = new_ids(range(next_id, next_id + count) if ids is None else ids)
    if len(known) != count:
        raise InputError(f"ids has {len(known)} items for {count} rows; expected one for each")
    return NewRows(known, checked, _as_json(metadata, count), vectors)


def _as_json(metadata: Iterable[Metadata | None] | None, count: int) -> list[bytes]:
    if metadata is None:
        return [_NO_METADATA] * count
    if isinstance(metadata, Mapping | str) or not isinstance(metadata, Sequence):
        raise InputTypeError(f"metadata is {described(metadata)}; expected a list of dictionaries, one for each row")
    if len(metadata) != count:
        raise InputError(f"metadata has {len(metadata)} items for {count} rows; expected one for each")
    return [_NO_METADATA if found is None else _one_as_json(found, place) for place, found in enumerate(metadata)]


def _one_as_json(metadata: Any, place: int) -> bytes:
    if not isinstance(metadata, Mapping):
        raise InputTypeError(f"metadata[{place}] is {described(metadata)}; expected a dictionary or None")
    for key in metadata:
        if not isinstance(key, str):
            raise InputTypeError(
                f"metadata[{place}] has the key {key!r:.40} of type {type(key).__name__}; expected str"
            )
    try:
        found = json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"metadata[{place}] cannot be written as JSON ({error}); expected str, int, finite float, bool, None, and "
            "lists and dictionaries of these"
        ) from error
    if "\\ud" in found:
        check_unicode(json.dumps(dict(metadata), ensure_ascii=False), f"metadata[{place}]")
    return found.encode()
