"""The queries of a search: texts are encoded, embeddings checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edge_st_runtime.arrays import Floats
from edge_st_runtime.checks import described
from edge_st_runtime.errors import InputTypeError
from edge_st_runtime.store.dense.snapshot import Snapshot
from edge_st_runtime.vectors.dense import as_array

from ..models.inputs import check_text, check_texts
from .embeddings import check_dim, check_embeddings, scaled
from .models import Models


@dataclass(frozen=True, eq=False, slots=True)
class Queries:
    """Vectors (n, dim), scaled as those of the index; ``is_single`` where the caller gave one query, not a list."""

    vectors: Floats
    is_single: bool


def as_queries(query: str | Sequence[str] | ArrayLike, snapshot: Snapshot, models: Models) -> Queries:
    """One or several texts, or embeddings (dim,) or (n, dim), as vectors to search ``snapshot`` with.

    Raises OptionError for a text where there is no model, InputTypeError and InputError as `Index.search` says.
    """
    dim = snapshot.settings["dim"]
    queries = _encoded(query, snapshot, models) if _is_text(query) else _given(query, dim)
    check_dim(queries.vectors, dim)
    return Queries(scaled(queries.vectors, snapshot.settings), queries.is_single)


def _is_text(query: Any) -> bool:
    """Whether the query is a text, or a list with a text in it."""
    return isinstance(query, str) or (isinstance(query, list | tuple) and any(isinstance(each, str) for each in query))


def _encoded(query: Any, snapshot: Snapshot, models: Models) -> Queries:
    model = models.required(snapshot, "a query that is a text")
    is_single = isinstance(query, str)
    texts = [check_text(query, "query")] if is_single else check_texts(query, "query")
    return Queries(model.encode_query(texts, truncate_dim=snapshot.settings["dim"]), is_single)


def _given(query: Any, dim: int) -> Queries:
    if isinstance(query, list | tuple) and not query:
        return Queries(np.empty((0, dim), dtype=np.float32), is_single=False)
    array = as_array(query, "query")
    if array.dtype.kind not in "fiu":
        raise InputTypeError(f"query is {described(query)}; expected a text or an embedding, or a list of these")
    is_single = array.ndim == 1
    return Queries(check_embeddings(array[None] if is_single else array, "query"), is_single)
