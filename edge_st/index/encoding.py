"""Checked rows into an index, one portion at a time: known texts are copied, the others encoded."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import InputError
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.store.dense.snapshot import Snapshot

from ..models.sentence_transformer import SentenceTransformer
from ..progress import progress_bar
from .embeddings import check_dim, scaled
from .models import Models
from .rows import NewRows

#: the stored form of vectors: arrays (n, …) by name
Columns: TypeAlias = Mapping[str, NDArray[Any]]


def append_rows(store: VectorIndex, models: Models, rows: NewRows, show_progress_bar: bool | None) -> None:
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
        check_dim(rows.vectors, store.settings["dim"])
    with progress_bar(len(rows), show_progress_bar) as advance:
        for portion in rows.portions():
            columns = _columns(store.snapshot, model, portion)
            store.append(portion.stored(columns, keeps_texts=store.settings["texts"]))
            advance(len(portion))


def _columns(snapshot: Snapshot, model: SentenceTransformer | None, rows: NewRows) -> Columns:
    if rows.vectors is not None:
        return _from_vectors(snapshot, rows.vectors)
    assert model is not None
    assert rows.texts is not None
    return _from_texts(snapshot, model, rows.texts)


def _from_vectors(snapshot: Snapshot, vectors: Floats) -> Columns:
    return snapshot.layout.encode(scaled(vectors, snapshot.settings))


def _from_texts(snapshot: Snapshot, model: SentenceTransformer, texts: Sequence[str]) -> Columns:
    """The columns of known texts as the index has them, and of new texts as the model encodes them."""
    rows = snapshot.encoded([text.encode() for text in texts])
    is_new = rows == NO_ROW
    known = snapshot.columns(rows[~is_new])
    new_texts = [text for text, new in zip(texts, is_new.tolist(), strict=True) if new]
    if not new_texts:
        return known
    vectors = model.encode_document(new_texts, truncate_dim=snapshot.layout.dim, show_progress_bar=False)
    return _merged(_from_vectors(snapshot, vectors), known, is_new)


def _merged(new: Columns, known: Columns, is_new: NDArray[np.bool_]) -> Columns:
    """One column for each name: rows of ``new`` where ``is_new`` (n,), rows of ``known`` elsewhere."""
    merged = {}
    for name, column in new.items():
        merged[name] = np.empty((len(is_new), *column.shape[1:]), dtype=column.dtype)
        merged[name][is_new], merged[name][~is_new] = column, known[name]
    return merged
