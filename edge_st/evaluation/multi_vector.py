"""Evaluators of token vectors: those of dense embeddings, with the scores of late interaction."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from edge_st_runtime.errors import OptionError
from edge_st_runtime.vectors.similarity import TOKEN_FUNCTIONS, Similarity, SimilarityFunctions

from .embeddings import MULTI_VECTOR, EmbeddingEvaluator
from .reranking import RerankingEvaluator
from .triplet import TripletEvaluator

_NAMES = tuple(function.value for function in TOKEN_FUNCTIONS)


class MultiVectorEvaluator(EmbeddingEvaluator):
    """An evaluator of a `MultiVectorEncoder`: the embeddings are a list of token vectors (tokens, dim).

    Raises OptionError for a ``truncate_dim``, as token vectors are not truncated.
    """

    _functions: ClassVar[SimilarityFunctions] = TOKEN_FUNCTIONS
    _kind = MULTI_VECTOR

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_not_truncated(self.truncate_dim)

    def _encode_options(self) -> dict[str, Any]:
        return {}


def check_not_truncated(truncate_dim: int | None) -> None:
    """Raise OptionError unless ``truncate_dim`` is None."""
    if truncate_dim is not None:
        raise OptionError(
            f"truncate_dim is {truncate_dim!r}; token vectors cannot be truncated: leave it out to evaluate all "
            "dimensions"
        )


class MultiVectorTripletEvaluator(MultiVectorEvaluator, TripletEvaluator):
    """`TripletEvaluator` for token vectors; the similarity functions are "maxsim" and "meanmaxsim".

    MaxSim grows with the number of the query's tokens, so that the two need different margins. Source:
    sentence-transformers' class of this name.
    """

    _names = _NAMES


class MultiVectorRerankingEvaluator(MultiVectorEvaluator, RerankingEvaluator):
    """`RerankingEvaluator` for token vectors, whose default similarity is that of the model.

    ``similarity_fct`` gets a list of one query and a list of documents, each (tokens, dim). Source:
    sentence-transformers' class of this name.
    """

    def __init__(
        self,
        samples: Sequence[Mapping[str, Any]] | Mapping[Any, Mapping[str, Any]],
        *,
        at_k: int = 10,
        name: str = "",
        write_csv: bool = True,
        similarity_fct: Similarity | None = None,
        batch_size: int = 16,
        show_progress_bar: bool = False,
        use_batched_encoding: bool = True,
    ) -> None:
        super().__init__(
            samples,
            at_k=at_k,
            name=name,
            write_csv=write_csv,
            similarity_fct=similarity_fct,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            use_batched_encoding=use_batched_encoding,
        )
