"""From checked rows to an index: what it holds already is copied, the rest is encoded, a portion at a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.vectors.dense import normalize
from edge_st_runtime.vectors.similarity import SimilarityFunction

from ..models.sentence_transformer import SentenceTransformer
from ..progress import progress_bar
from .rows import Given


def append(store: VectorIndex, model: SentenceTransformer | None, given: Given, show_progress_bar: bool | None) -> None:
    """Add ``given`` in place of rows with the same ids; rows without vectors are encoded by ``model``."""
    with progress_bar(len(given), show_progress_bar) as done:
        for portion in given.portions():
            store.append(portion.rows(_columns(store, model, portion), keeps_texts=store.settings["texts"]))
            done(len(portion))


def as_kept(vectors: Floats, settings: Mapping[str, Any]) -> Floats:
    """Vectors (n, dim) as an index of ``settings`` compares them: at unit length for the cosine."""
    cosine = settings["similarity"] == SimilarityFunction.COSINE.value
    return normalize(vectors) if cosine else vectors


def _columns(store: VectorIndex, model: SentenceTransformer | None, given: Given) -> dict[str, NDArray[Any]]:
    """The columns of the rows' vectors."""
    snapshot = store.snapshot
    if given.vectors is not None:
        return snapshot.layout.encode(as_kept(given.vectors, snapshot.settings))
    assert model is not None
    assert given.texts is not None
    rows = snapshot.encoded([text.encode() for text in given.texts])
    new = rows == NO_ROW
    columns = snapshot.columns(rows[~new])
    if not new.any():
        return columns
    texts = [text for text, is_new in zip(given.texts, new.tolist(), strict=True) if is_new]
    vectors = model.encode_document(texts, truncate_dim=snapshot.layout.dim, show_progress_bar=False)
    encoded = snapshot.layout.encode(as_kept(vectors, snapshot.settings))
    together = {}
    for name, column in encoded.items():
        together[name] = np.empty((len(given), *column.shape[1:]), dtype=column.dtype)
        together[name][new], together[name][~new] = column, columns[name]
    return together
