"""Checked rows into an index, one portion at a time: known texts are copied, the others encoded."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_st_runtime.errors import InputError
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.rows.index import RowIndex
from edge_st_runtime.store.rows.layout import all_of
from edge_st_runtime.store.rows.snapshot import Snapshot

from ..models.encoder import Encoder
from ..progress import progress_bar
from .kinds import VectorKind
from .models import Models
from .rows import NewRows


def append_rows(
    store: RowIndex[Any, Any], kind: VectorKind, models: Models, rows: NewRows, show_progress_bar: bool | None
) -> None:
    """Add ``rows``, in place of those with the same ids; the texts of rows without vectors are encoded.

    Raises InputError for vectors of another width, and for vectors without the texts that the index stores;
    OptionError for texts where there is no model to encode them.
    """
    if rows.texts is None and store.settings["texts"]:
        raise InputError("texts is None, but this index stores texts; expected a text for each of the embeddings")
    model = None
    if rows.vectors is None:
        model = models.required(store.snapshot, "texts")
    else:
        kind.check_dim(rows.vectors, store.settings["dim"])
    with progress_bar(len(rows), show_progress_bar) as advance:
        for portion in rows.portions(kind.portion):
            vectors = _stored(store.snapshot, kind, model, portion)
            store.append(portion.stored(vectors, keeps_texts=store.settings["texts"]))
            advance(len(portion))


def _stored(snapshot: Snapshot[Any, Any], kind: VectorKind, model: Encoder | None, rows: NewRows) -> Any:
    """The vectors of ``rows`` as the index stores them."""
    if rows.vectors is not None:
        return kind.stored(snapshot, rows.vectors)
    assert model is not None
    assert rows.texts is not None
    return _from_texts(snapshot, kind, model, rows.texts)


def _from_texts(snapshot: Snapshot[Any, Any], kind: VectorKind, model: Encoder, texts: Sequence[str]) -> Any:
    """Those of known texts as the index has them, and of new texts as the model encodes them."""
    rows = snapshot.encoded([text.encode() for text in texts])
    is_new = rows == NO_ROW
    known = snapshot.stored(rows[~is_new])
    new_texts = [text for text, new in zip(texts, is_new.tolist(), strict=True) if new]
    if not new_texts:
        return known
    new = kind.stored(snapshot, kind.documents(model, new_texts, snapshot.settings["dim"]))
    if len(new_texts) == len(texts):
        return new
    layout, count = snapshot.layout, len(new_texts)
    both = layout.joined([all_of(new, count), all_of(known, len(texts) - count)])
    places = np.concatenate([np.flatnonzero(is_new), np.flatnonzero(~is_new)])
    return layout.joined([(both, np.argsort(places))])
