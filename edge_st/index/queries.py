"""The queries of a search: texts are encoded, embeddings checked."""

from dataclasses import dataclass
from typing import Any

from edge_st_runtime.store.rows.snapshot import Snapshot

from ..models.inputs import check_text, check_texts
from .kinds import VectorKind
from .models import Models


@dataclass(frozen=True, eq=False, slots=True)
class Queries:
    """The vectors of several queries; ``is_single`` where the caller gave one query, not a list."""

    vectors: Any
    is_single: bool


def as_queries(query: Any, snapshot: Snapshot[Any, Any], kind: VectorKind, models: Models) -> Queries:
    """One or several texts, or embeddings, as vectors to search ``snapshot`` with.

    Raises OptionError for a text where there is no model, InputTypeError and InputError as `Index.search` says.
    """
    dim = snapshot.settings["dim"]
    if _is_text(query):
        model = models.required(snapshot, "a query that is a text")
        is_single = isinstance(query, str)
        texts = [check_text(query, "query")] if is_single else check_texts(query, "query")
        vectors = kind.queries(model, texts, dim)
    else:
        vectors, is_single = kind.given_queries(query, dim)
    kind.check_dim(vectors, dim)
    return Queries(vectors, is_single)


def _is_text(query: Any) -> bool:
    """Whether the query is a text, or a list with a text in it."""
    return isinstance(query, str) or (isinstance(query, list | tuple) and any(isinstance(each, str) for each in query))
