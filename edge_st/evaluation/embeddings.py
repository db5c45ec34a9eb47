"""What the evaluators of embeddings share: encoding texts, and similarity functions."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import OptionError
from edge_st_runtime.vectors.similarity import (
    FUNCTIONS,
    TOKEN_FUNCTIONS,
    SimilarityFunction,
    SimilarityFunctions,
    parse_similarity,
)

from .evaluator import BaseEvaluator, given, method_of

DENSE, SPARSE, MULTI_VECTOR = "dense", "sparse", "multi-vector"


class EmbeddingEvaluator(BaseEvaluator):
    """An evaluator of a model with ``encode``, ``encode_query`` and ``encode_document``."""

    _functions: ClassVar[SimilarityFunctions] = FUNCTIONS
    _kind: ClassVar[str] = DENSE

    def __init__(
        self,
        measure: str,
        *,
        name: str,
        batch_size: int,
        show_progress_bar: bool,
        write_csv: bool,
        truncate_dim: int | None = None,
    ) -> None:
        """``measure`` begins the name of the CSV file."""
        super().__init__()
        self.name = name
        self.batch_size = batch_size
        self.show_progress_bar = show_progress_bar
        self.write_csv = write_csv
        self.truncate_dim = truncate_dim
        self.csv_file = "_".join(filter(None, (measure, name, "results.csv")))

    def embed_inputs(
        self, model: Any, sentences: Sequence[str], encode_fn_name: str | None = None, **kwargs: Any
    ) -> Any:
        """Encode ``sentences`` with ``model``: embeddings (n, dim).

        ``encode_fn_name`` is "query" for ``encode_query``, "document" for ``encode_document``, None for ``encode``.
        Raises OptionError for a model of another kind.
        """
        encode = method_of(self, model, f"encode_{encode_fn_name}" if encode_fn_name else "encode")
        if _kind_of(model) != self._kind:
            raise OptionError(
                f"{type(self).__name__} takes a model of {self._kind} embeddings; found {type(model).__name__}, whose "
                f"embeddings are {_kind_of(model)}"
            )
        options = {"batch_size": self.batch_size, "show_progress_bar": self.show_progress_bar}
        return encode(sentences, **{**options, **self._encode_options(), **kwargs})

    def _encode_options(self) -> dict[str, Any]:
        return {"convert_to_numpy": True, "truncate_dim": self.truncate_dim}

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        return given(truncate_dim=self.truncate_dim)

    def _pairwise(self, name: str, first: Any, second: Any) -> NDArray[Any]:
        """The similarity (n,) of ``first[i]`` and ``second[i]``; distances are negated."""
        return self._functions[SimilarityFunction(name)][1](first, second)

    def _as_names(self, names: Sequence[str] | None, main: str | SimilarityFunction | None = None) -> list[str]:
        """The similarity functions by name; without ``names`` the main one, if there is one.

        Raises OptionError for one that is not of these embeddings.
        """
        wanted: Sequence[str | SimilarityFunction] = names or ([] if main is None else [main])
        return [parse_similarity(name, self._functions).value for name in wanted]

    def _as_main(self, main: str | SimilarityFunction | None) -> SimilarityFunction | None:
        """The main similarity function, or None; raises OptionError for one that is not of these embeddings."""
        return parse_similarity(main, self._functions) if main else None


def taken(embeddings: Any, places: NDArray[np.int64]) -> Any:
    """The embeddings of the texts at ``places`` (n,), from an array (texts, dim), a SparseMatrix or a list."""
    return [embeddings[place] for place in places] if isinstance(embeddings, list | tuple) else embeddings[places]


def _kind_of(model: Any) -> str:
    """What the embeddings of ``model`` are: one vector for a text, a sparse one, or one for each token."""
    if hasattr(model, "sparsity"):
        return SPARSE
    of_tokens = [function.value for function in TOKEN_FUNCTIONS]
    return MULTI_VECTOR if getattr(model, "similarity_fn_name", None) in of_tokens else DENSE
