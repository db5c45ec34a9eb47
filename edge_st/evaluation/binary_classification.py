"""Binary classification of sentence pairs by their similarity: do they belong together or not?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_st_runtime.errors import InputError
from edge_st_runtime.vectors.similarity import SimilarityFunction

from .embeddings import EmbeddingEvaluator
from .evaluator import Metrics, best_of, check_same_length
from .input_example import FromSentencePairs
from .statistics import at_best_thresholds, average_precision, best_accuracy, best_f1, matthews_correlation

_DISTANCES = (SimilarityFunction.MANHATTAN.value, SimilarityFunction.EUCLIDEAN.value)
_COLUMNS = ("accuracy", "accuracy_threshold", "f1", "precision", "recall", "f1_threshold", "ap", "mcc")


class BinaryClassificationEvaluator(FromSentencePairs, EmbeddingEvaluator):
    """Accuracy, F1, average precision and Matthews' correlation of classifying pairs by their similarity.

    Pair i is ``sentences1[i]`` and ``sentences2[i]``; ``labels[i]`` is 1 where they belong together, else 0. Accuracy
    and F1 are those at the best threshold of each.

    Raises InputError for lists of different lengths and for other labels, OptionError for an unknown similarity
    function.
    Source: sentence-transformers' class of this name.
    """

    def __init__(
        self,
        sentences1: Sequence[str],
        sentences2: Sequence[str],
        labels: Sequence[int],
        name: str = "",
        batch_size: int = 32,
        show_progress_bar: bool = False,
        write_csv: bool = True,
        truncate_dim: int | None = None,
        similarity_fn_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            "binary_classification_evaluation",
            name=name,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            write_csv=write_csv,
            truncate_dim=truncate_dim,
        )
        check_same_length(sentences1=sentences1, sentences2=sentences2, labels=labels)
        for place, label in enumerate(labels):
            if label not in (0, 1):
                raise InputError(f"labels[{place}] is {label!r}; expected 0 or 1")
        self.sentences1, self.sentences2, self.labels = sentences1, sentences2, labels
        self.similarity_fn_names = self._as_names(similarity_fn_names)

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """The metrics as ``FUNCTION_METRIC``; with several similarity functions also the largest as ``max_METRIC``."""
        found = self.compute_metrics(model)
        self.csv_headers = ["epoch", "steps", *(f"{name}_{column}" for name in found for column in _COLUMNS)]
        row = [of[column] for of in found.values() for column in _COLUMNS]
        metrics = {f"{name}_{measure}": value for name, of in found.items() for measure, value in of.items()}
        first = next(iter(found))
        if len(found) > 1:
            metrics |= {f"max_{measure}": best_of(found, measure) for measure in found[first]}
        self.primary_metric = "max_ap" if len(found) > 1 else f"{first}_ap"
        return self._finish(model, metrics, row, output_path, epoch, steps)

    def compute_metrics(self, model: Any) -> dict[str, dict[str, float]]:
        """The metrics of each similarity function, by its name."""
        return {name: self._measures(name, scores) for name, scores in self.similarities(model).items()}

    compute_metrices = compute_metrics

    def similarities(self, model: Any) -> dict[str, NDArray[Any]]:
        """The similarity (n,) of each pair by every similarity function. Every distinct text is embedded once."""
        texts = list(dict.fromkeys([*self.sentences1, *self.sentences2]))
        places = {text: place for place, text in enumerate(texts)}
        vectors = self.embed_inputs(model, texts)
        first, second = (vectors[[places[text] for text in side]] for side in (self.sentences1, self.sentences2))
        names = self.similarity_fn_names or [model.similarity_fn_name]
        return {name: self._pairwise(name, first, second) for name in names}

    def _measures(self, name: str, similarity: ArrayLike) -> dict[str, float]:
        labels, near = np.asarray(self.labels), np.asarray(similarity)
        higher = name not in _DISTANCES
        scores = near if higher else -near
        found = at_best_thresholds(scores, labels, higher)
        threshold = found["f1_threshold"]
        predicted = scores >= threshold if higher else scores <= threshold
        return {
            **found,
            "ap": average_precision(labels, near),
            "mcc": matthews_correlation(labels, predicted),
        }

    @staticmethod
    def find_best_acc_and_threshold(
        scores: ArrayLike, labels: ArrayLike, high_score_more_similar: bool
    ) -> tuple[float, float]:
        """The best accuracy at any threshold, and that threshold."""
        return best_accuracy(scores, labels, high_score_more_similar)

    @staticmethod
    def find_best_f1_and_threshold(
        scores: ArrayLike, labels: ArrayLike, high_score_more_similar: bool
    ) -> tuple[float, float, float, float]:
        """The best F1 at any threshold, its precision and recall, and that threshold."""
        best = best_f1(scores, labels, high_score_more_similar)
        return best.f1, best.precision, best.recall, best.threshold
