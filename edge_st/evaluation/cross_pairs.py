"""A cross-encoder's scores of sentence pairs, evaluated against labels or against gold scores."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from edge_st_runtime.vectors.parity import pearson

from .evaluator import BaseEvaluator, Metrics, check_same_length, method_of
from .input_example import labels
from .statistics import at_best_thresholds, average_precision, f1_averages, spearman


class _PairEvaluator(BaseEvaluator):
    """An evaluator that scores ``sentence_pairs`` with a model's ``predict``."""

    def __init__(
        self,
        sentence_pairs: Sequence[Sequence[str]],
        name: str,
        prompt_name: str | None,
        batch_size: int,
        show_progress_bar: bool | None,
        write_csv: bool,
    ) -> None:
        super().__init__()
        self.sentence_pairs = sentence_pairs
        self.name = name
        self.prompt_name = prompt_name
        self.batch_size = batch_size
        self.show_progress_bar = show_progress_bar
        self.write_csv = write_csv
        self.csv_file = "_".join(filter(None, (type(self).__name__, name, "results.csv")))

    @classmethod
    def from_input_examples(cls, examples: Iterable[Any], **kwargs: Any) -> Self:
        """Make the evaluator from examples with two ``texts`` and a ``label``.

        ``kwargs`` are the evaluator's other arguments.
        """
        kept, build = list(examples), cast("Callable[..., Self]", cls)
        return build([example.texts for example in kept], labels(kept), **kwargs)

    def scores_of(self, model: Any) -> Any:
        """The model's scores of the pairs: (n,), or (n, labels) for a model with several labels."""
        return method_of(self, model, "predict")(
            self.sentence_pairs,
            prompt_name=self.prompt_name,
            batch_size=self.batch_size,
            convert_to_numpy=True,
            show_progress_bar=self.show_progress_bar,
        )


class CrossEncoderClassificationEvaluator(_PairEvaluator):
    """Classification of sentence pairs by a cross-encoder's scores, against ``labels``.

    A model with one label gives accuracy and F1, each at its best threshold, and average precision. A model with
    several labels predicts the one with the highest score, which gives F1 averages.

    Raises InputError for lists of different lengths. Source: sentence-transformers' class of this name.
    """

    def __init__(
        self,
        sentence_pairs: Sequence[Sequence[str]],
        labels: Sequence[int],
        *,
        name: str = "",
        prompt_name: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        write_csv: bool = True,
    ) -> None:
        super().__init__(sentence_pairs, name, prompt_name, batch_size, show_progress_bar, write_csv)
        check_same_length(sentence_pairs=sentence_pairs, labels=labels)
        self.labels = np.asarray(labels)

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """``accuracy``, ``f1`` and so on; for several labels ``f1_macro``, ``f1_micro`` and ``f1_weighted``."""
        scores = np.asarray(self.scores_of(model))
        metrics = self._binary(scores) if model.num_labels == 1 else self._multiclass(scores)
        return self._finish(model, metrics, list(metrics.values()), output_path, epoch, steps)

    def _binary(self, scores: Any) -> Metrics:
        self.csv_headers = [
            *("epoch", "steps", "Accuracy", "Accuracy_Threshold", "F1", "F1_Threshold"),
            *("Precision", "Recall", "Average_Precision"),
        ]
        self.primary_metric = "average_precision"
        metrics = at_best_thresholds(scores, self.labels, True)
        return {**metrics, "average_precision": average_precision(self.labels, scores)}

    def _multiclass(self, scores: Any) -> Metrics:
        self.csv_headers = ["epoch", "steps", "Macro_F1", "Micro_F1", "Weighted_F1"]
        self.primary_metric = "f1_macro"
        return {f"f1_{name}": value for name, value in f1_averages(self.labels, scores.argmax(axis=1)).items()}


class CrossEncoderCorrelationEvaluator(_PairEvaluator):
    """Pearson's and Spearman's correlation of a cross-encoder's scores with the gold ``scores`` of the pairs.

    Raises InputError for lists of different lengths. Source: sentence-transformers' class of this name.
    """

    def __init__(
        self,
        sentence_pairs: Sequence[Sequence[str]],
        scores: Sequence[float],
        name: str = "",
        prompt_name: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        write_csv: bool = True,
    ) -> None:
        super().__init__(sentence_pairs, name, prompt_name, batch_size, show_progress_bar, write_csv)
        check_same_length(sentence_pairs=sentence_pairs, scores=scores)
        self.scores = scores
        self.csv_headers = ["epoch", "steps", "Pearson_Correlation", "Spearman_Correlation"]
        self.primary_metric = "spearman"

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """``pearson`` and ``spearman``."""
        found = self.scores_of(model)
        metrics = {"pearson": pearson(self.scores, found), "spearman": spearman(self.scores, found)}
        return self._finish(model, metrics, list(metrics.values()), output_path, epoch, steps)
