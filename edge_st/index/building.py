"""The making of a new index: everything is checked before anything is written, and a failed start leaves nothing."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from edge_st_runtime.errors import OptionError
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.vectors.similarity import SimilarityFunction

from ..models.sentence_transformer import SentenceTransformer
from .embeddings import check_dim
from .ids import Id
from .models import identity_of
from .rows import Metadata, NewRows, check_rows
from .settings import check_precision
from .streams import check_streams


def first_rows(
    model: SentenceTransformer | None,
    texts: Iterable[str] | None,
    ids: Iterable[Id] | None,
    metadata: Iterable[Metadata | None] | None,
    embeddings: ArrayLike | None,
) -> NewRows | None:
    """The rows to begin with, checked; None where ``texts`` is an iterator, which is checked as it is read.

    Raises OptionError where there is neither a model nor embeddings, and what `check_rows` raises.
    """
    if model is None and embeddings is None:
        raise OptionError("model is None; expected a SentenceTransformer, or embeddings")
    if isinstance(texts, Iterator):
        check_streams(ids, metadata, embeddings)
        return None
    return check_rows(texts, ids, metadata, embeddings)


def new_settings(
    model: SentenceTransformer | None, rows: NewRows | None, precision: str, rescore: str | None, *, stores_texts: bool
) -> dict[str, Any]:
    """What the folder records of an index of ``model``, or without one of the vectors in ``rows``.

    Raises OptionError as `check_precision` does, InputError for vectors of another width than the model's.
    """
    vectors = None if rows is None else rows.vectors
    similarity = SimilarityFunction.COSINE.value if model is None else model.similarity_fn_name
    check_precision(precision, rescore, similarity)
    dim = model.get_embedding_dimension() if model is not None else vectors.shape[1]  # type: ignore[union-attr]
    if vectors is not None:
        check_dim(vectors, dim)
    return {
        "dim": dim,
        "precision": precision,
        "rescore": rescore,
        "texts": stores_texts,
        "similarity": similarity,
        "model": None if model is None else identity_of(model),
    }


@contextmanager
def created(folder: Path, settings: Mapping[str, Any]) -> Iterator[VectorIndex]:
    """A new store in ``folder``, open to write, that the block fills.

    Where the block fails, rows that were added stay; without any the store is removed. Raises FolderError where the
    folder holds an index or cannot be written.
    """
    store = VectorIndex.create(folder, settings)
    try:
        yield store
    except BaseException:
        if store.added:
            store.close()
        else:
            store.discard()
        raise
