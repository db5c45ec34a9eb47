"""The making of a new index: everything is checked before anything is written, and a failed start leaves nothing."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import OptionError
from edge_st_runtime.store.rows.index import RowIndex

from ..models.encoder import Encoder
from .ids import Id
from .kinds import VectorKind
from .models import identity_of
from .rows import Metadata, NewRows, check_rows
from .streams import check_streams


def first_rows(
    kind: VectorKind,
    model: Encoder | None,
    texts: Iterable[str] | None,
    ids: Iterable[Id] | None,
    metadata: Iterable[Metadata | None] | None,
    embeddings: Any,
) -> NewRows | None:
    """The rows to begin with, checked; None where ``texts`` is an iterator, which is checked as it is read.

    Raises OptionError where there is neither a model nor embeddings, and what `check_rows` raises.
    """
    if model is None and embeddings is None:
        raise OptionError(f"model is None; expected a {kind.model.__name__}, or embeddings")
    if isinstance(texts, Iterator):
        check_streams(ids, metadata, embeddings)
        return None
    return check_rows(texts, ids, metadata, None if embeddings is None else kind.checked(embeddings))


def new_settings(
    kind: VectorKind, model: Encoder | None, rows: NewRows | None, precisions: Mapping[str, Any], *, stores_texts: bool
) -> dict[str, Any]:
    """What the folder records of an index of ``model``, or without one of the vectors in ``rows``.

    ``precisions`` are those of the kind's settings that say how vectors are stored. Raises OptionError as
    `VectorKind.check_settings` does, InputError for vectors of another width than the model's.
    """
    vectors = None if rows is None else rows.vectors
    similarity = kind.similarity(model)
    kind.check_settings({**precisions, "similarity": similarity})
    dim = kind.dim(vectors) if model is None else model.get_embedding_dimension()
    if vectors is not None:
        kind.check_dim(vectors, dim)
    return {
        "dim": dim,
        **precisions,
        "texts": stores_texts,
        "similarity": similarity,
        "model": None if model is None else identity_of(model),
    }


@contextmanager
def created(kind: VectorKind, folder: Path, settings: Mapping[str, Any]) -> Iterator[RowIndex[Any, Any]]:
    """A new store in ``folder``, open to write, that the block fills.

    Where the block fails, rows that were added stay; without any the store is removed. Raises FolderError where the
    folder holds an index or cannot be written.
    """
    store = kind.store.create(folder, settings)
    try:
        yield store
    except BaseException:
        if store.added:
            store.close()
        else:
            store.discard()
        raise
