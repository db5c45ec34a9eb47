"""Token vectors as the kind of vectors of an index."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edge_st_runtime.arrays import Floats, Ids
from edge_st_runtime.checks import check_choice
from edge_st_runtime.errors import InputError
from edge_st_runtime.search.late.codec import PRECISIONS
from edge_st_runtime.store.rows.snapshot import SearchOptions
from edge_st_runtime.store.tokens.index import TokenIndex
from edge_st_runtime.store.tokens.layout import TokenVectors
from edge_st_runtime.store.tokens.snapshot import TokenSnapshot
from edge_st_runtime.vectors.similarity import SimilarityFunction

from ..models.encoder import Encoder
from ..models.multi_vector_encoder import MultiVectorEncoder
from .embeddings import check_width
from .token_embeddings import check_token_embeddings, width_of

_TEXTS = 128
_logger = logging.getLogger(__name__)


class Tokens:
    """Vectors (tokens, dim) for each row or query; several are a list of arrays. See `VectorKind`."""

    model: type[MultiVectorEncoder] = MultiVectorEncoder
    store: type[TokenIndex] = TokenIndex
    portion: int = 1024

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Raise OptionError for an unknown precision."""
        check_choice("precision", settings["precision"], PRECISIONS)

    def similarity(self, model: Encoder | None) -> str:
        """The model's own; MaxSim without a model."""
        return SimilarityFunction.MAXSIM.value if model is None else model.similarity_fn_name

    def checked(self, embeddings: Any, name: str = "embeddings") -> list[Floats]:
        """``embeddings``, a list of (tokens, dim), as float32; raises what `check_token_embeddings` raises."""
        return check_token_embeddings(embeddings, name)

    def dim(self, vectors: Sequence[Floats] | None) -> int:
        """The width of all arrays; raises InputError where there are none."""
        found = width_of(vectors or ())
        if found is None:
            raise InputError("embeddings is empty and model is None, so that the dimensions are not known; give a row")
        return found

    def check_dim(self, vectors: Sequence[Floats], dim: int) -> None:
        """Raise InputError unless all arrays are ``dim`` wide."""
        found = width_of(vectors)
        if found is not None:
            check_width(found, dim)

    def documents(self, model: Encoder, texts: Sequence[str], dim: int) -> Iterator[Floats]:  # noqa: ARG002 - the model's
        """Token vectors of each text; 128 texts are encoded at a time, as those of all may not fit in memory."""
        for at in range(0, len(texts), _TEXTS):
            yield from model.encode_document(texts[at : at + _TEXTS], show_progress_bar=False)

    def queries(self, model: Encoder, texts: Sequence[str], dim: int) -> list[Floats]:  # noqa: ARG002 - the model's
        """Token vectors of each text."""
        found: list[Floats] = model.encode_query(texts)
        return found

    def given_queries(self, query: Any, dim: int) -> tuple[list[Floats], bool]:  # noqa: ARG002 - checked by `check_dim`
        """An array (tokens, dim), or a list of them."""
        is_single = isinstance(query, np.ndarray) and query.ndim == 2
        return check_token_embeddings([query] if is_single else query, "query"), is_single

    def stored(self, snapshot: TokenSnapshot, vectors: Iterable[Floats]) -> TokenVectors:
        """The codes of ``vectors``."""
        return snapshot.layout.encode(vectors)

    def search(
        self, snapshot: TokenSnapshot, queries: Sequence[Floats], top_k: int, wanted: SearchOptions
    ) -> tuple[Floats, Ids]:
        """As `TokenSnapshot.search`, by the index's similarity; warns of queries without a token."""
        empty = [place for place, query in enumerate(queries) if not len(query)]
        if empty:
            _logger.warning(
                "%d of %d queries, the first at position %d, have no token that is not skipped, so they find nothing",
                *(len(empty), len(queries), empty[0]),
            )
        is_mean = snapshot.settings["similarity"] == SimilarityFunction.MEAN_MAXSIM.value
        return snapshot.search(queries, top_k, wanted, mean=is_mean)
