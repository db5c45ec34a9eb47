"""The similarity of embeddings evaluated against gold similarity scores (STS)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.vectors.dense import check_precision
from edge_st_runtime.vectors.parity import pearson
from edge_st_runtime.vectors.similarity import SimilarityFunction

from .embeddings import EmbeddingEvaluator
from .evaluator import Metrics, best_of, check_same_length, given
from .input_example import FromSentencePairs
from .statistics import spearman


class EmbeddingSimilarityEvaluator(FromSentencePairs, EmbeddingEvaluator):
    """Pearson's and Spearman's correlation of the similarity of sentence pairs with their gold scores.

    Pair i is ``sentences1[i]`` and ``sentences2[i]``, its gold score ``scores[i]``. ``precision`` quantizes the
    embeddings of both. Raises InputError for lists of different lengths, OptionError for an unknown
    similarity function or precision. Source: sentence-transformers' class of this name.
    """

    def __init__(
        self,
        sentences1: Sequence[str],
        sentences2: Sequence[str],
        scores: Sequence[float],
        batch_size: int = 16,
        main_similarity: str | SimilarityFunction | None = None,
        similarity_fn_names: Sequence[str] | None = None,
        name: str = "",
        show_progress_bar: bool = False,
        write_csv: bool = True,
        precision: str | None = None,
        truncate_dim: int | None = None,
    ) -> None:
        super().__init__(
            "similarity_evaluation",
            name=name,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            write_csv=write_csv,
            truncate_dim=truncate_dim,
        )
        check_same_length(sentences1=sentences1, sentences2=sentences2, scores=scores)
        check_precision(precision)
        self.sentences1, self.sentences2, self.scores = sentences1, sentences2, scores
        self.main_similarity = self._as_main(main_similarity)
        self.similarity_fn_names = self._as_names(similarity_fn_names, self.main_similarity)
        self.precision = precision
        self.csv_file = "_".join(filter(None, ("similarity_evaluation", name, precision, "results.csv")))

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """``pearson_FUNCTION``, ``spearman_FUNCTION``; with several functions also the largest as ``…_max``."""
        found = {
            name: {"pearson": pearson(self.scores, scores), "spearman": spearman(self.scores, scores)}
            for name, scores in self.similarities(model).items()
        }
        names = list(found)
        metrics = {f"{kind}_{name}": value for name, of in found.items() for kind, value in of.items()}
        self.csv_headers = ["epoch", "steps", *(f"{name}_{kind}" for name, of in found.items() for kind in of)]
        row = list(metrics.values())
        if len(names) > 1:
            metrics |= {f"{kind}_max": best_of(found, kind) for kind in ("pearson", "spearman")}
        main = self.main_similarity.value if self.main_similarity else "max" if len(names) > 1 else names[0]
        self.primary_metric = f"spearman_{main}"
        return self._finish(model, metrics, row, output_path, epoch, steps)

    def similarities(self, model: Any) -> dict[str, NDArray[Any]]:
        """The similarity (n,) of each pair by every similarity function."""
        if self.precision in ("int8", "uint8"):  # whose ranges both sides share
            both = self._vectors(model, [*self.sentences1, *self.sentences2])
            first, second = both[: len(self.sentences1)], both[len(self.sentences1) :]
        else:
            first, second = (self._vectors(model, side) for side in (self.sentences1, self.sentences2))
        names = self.similarity_fn_names or [model.similarity_fn_name]
        return {name: self._pairwise(name, first, second) for name in names}

    def _vectors(self, model: Any, sentences: Sequence[str]) -> Any:
        """Embeddings (n, dim); with a binary precision, their bits as 0 and 1."""
        embeddings = self.embed_inputs(model, sentences)
        if self.precision == "binary":
            embeddings = (embeddings.astype(np.int16) + 128).astype(np.uint8)
        return np.unpackbits(embeddings, axis=1) if self.precision in ("binary", "ubinary") else embeddings

    def _encode_options(self) -> dict[str, Any]:
        quantized = {"precision": self.precision, "normalize_embeddings": bool(self.precision)}
        return {**super()._encode_options(), **quantized}

    @property
    def description(self) -> str:
        """What is evaluated, in words."""
        return "Semantic Similarity"

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        return {**super().get_config_dict(), **given(precision=self.precision)}
