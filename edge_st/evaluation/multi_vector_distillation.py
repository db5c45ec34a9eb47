"""Scores of a teacher, and how well a model of token vectors follows them."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import InputError, OptionError
from edge_st_runtime.vectors.dense import as_numbers
from edge_st_runtime.vectors.similarity import SimilarityFunction

from .evaluator import Metrics, check_same_length, given
from .multi_vector import MultiVectorEvaluator
from .statistics import Values, spearman


class MultiVectorDistillationEvaluator(MultiVectorEvaluator):
    """``kl_divergence`` of the scores of a teacher and of the model, and Spearman's correlation of them.

    ``documents`` are lists of candidates of each query, all equally long, and ``scores`` the teacher's (queries, n);
    the metrics are means over the queries. Queries whose scores are constant have no correlation and are left out.
    Or ``documents`` has one document for each query, and ``scores`` is (queries,); the metrics are then those of
    all pairs together.

    The scores are divided by the temperatures, then become a distribution. ``similarity_fct`` scores row by row; the
    default is the model's own function. Raises InputError for lists and scores that do not fit each other,
    OptionError for a temperature that is not positive. Source: sentence-transformers' class of this name.
    """

    def __init__(
        self,
        queries: Sequence[str],
        documents: Sequence[str] | Sequence[Sequence[str]],
        scores: Any,
        *,
        temperature: float = 1.0,
        student_temperature: float | None = None,
        teacher_temperature: float | None = None,
        similarity_fct: Callable[[Any, Any], Any] | None = None,
        name: str = "",
        batch_size: int = 16,
        show_progress_bar: bool = False,
        write_csv: bool = True,
    ) -> None:
        super().__init__(
            "distillation_evaluation",
            name=name,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            write_csv=write_csv,
        )
        check_same_length(queries=queries, documents=documents, scores=scores)
        self.queries = list(queries)
        self.documents = [[each] if isinstance(each, str) else list(each) for each in documents]
        self.nested_documents = not isinstance(documents[0], str)
        self.scores = as_numbers(scores, "scores").astype(np.float32)
        self._check_scores()
        self.temperature = temperature
        self.student_temperature = temperature if student_temperature is None else student_temperature
        self.teacher_temperature = temperature if teacher_temperature is None else teacher_temperature
        for label in ("temperature", "student_temperature", "teacher_temperature"):
            if not 0 < getattr(self, label) < math.inf:
                raise OptionError(f"{label} must be a positive finite number, got {getattr(self, label)}.")
        self.similarity_fct = similarity_fct

    def _check_scores(self) -> None:
        lengths = sorted({len(each) for each in self.documents})
        if len(lengths) > 1:
            raise InputError(
                f"All per-query candidate lists in documents must have the same length; found {lengths[0]} and "
                f"{lengths[-1]}"
            )
        wanted = (len(self.queries), lengths[0]) if self.nested_documents else (len(self.queries),)
        if self.scores.shape != wanted:
            kind = "candidate lists of documents" if self.nested_documents else "one document per query"
            raise InputError(f"With {kind}, scores must be of the shape {wanted}, got shape {self.scores.shape}.")

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """``kl_divergence`` and ``spearman``."""
        teacher, student = np.atleast_2d(self.scores), self._scores_of(model)
        own = _log_shares(student / self.student_temperature)
        wanted = _log_shares(teacher / self.teacher_temperature)
        divergence = (np.exp(wanted) * (wanted - own)).sum(axis=1).mean() * self.student_temperature**2
        metrics = {"kl_divergence": float(divergence), "spearman": _mean_correlation(teacher, student)}
        self.csv_headers = ["epoch", "steps", *metrics]
        self.primary_metric = "spearman"
        return self._finish(model, metrics, list(metrics.values()), output_path, epoch, steps)

    def _scores_of(self, model: Any) -> Values:
        """The model's scores: (queries, candidates), or (1, queries) for one document each."""
        queries = self.embed_inputs(model, self.queries, "query")
        ways = len(self.documents[0])
        documents = self.embed_inputs(model, [text for texts in self.documents for text in texts], "document")
        score = self.similarity_fct or model.similarity_pairwise
        columns = [np.asarray(score(queries, documents[way::ways]), dtype=np.float64) for way in range(ways)]
        return np.stack(columns, axis=1) if self.nested_documents else np.stack(columns)

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        settings: Mapping[str, tuple[Any, Any]] = {
            "temperature": (self.temperature, 1.0),
            "student_temperature": (self.student_temperature, self.temperature),
            "teacher_temperature": (self.teacher_temperature, self.temperature),
        }
        function = None if self.similarity_fct is None else _name_of(self.similarity_fct)
        changed = {name: value for name, (value, default) in settings.items() if value != default}
        return {**changed, **given(similarity_fct=function)}


def _log_shares(scores: NDArray[Any]) -> Values:
    """The logarithm of the softmax of each row (n, m)."""
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _mean_correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """The mean of Spearman's correlations of the rows (n, m) that have one; 0 where none has."""
    found = [] if first.shape[1] < 2 else [spearman(*rows) for rows in zip(first, second, strict=True)]
    known = [value for value in found if not math.isnan(value)]
    return sum(known) / len(known) if known else 0.0


def _name_of(function: Any) -> str:
    """A function's name, with the arguments that `functools.partial` binds."""
    if isinstance(function, partial):
        bound = ", ".join(f"{name}={value!r}" for name, value in function.keywords.items())
        return f"{_name_of(function.func)}({bound})" if bound else _name_of(function.func)
    name: str = getattr(function, "__name__", type(function).__name__)
    model: Any = getattr(function, "__self__", None)
    if name == "similarity_pairwise" and hasattr(model, "similarity_fn_name"):
        return SimilarityFunction.to_similarity_pairwise_fn(model.similarity_fn_name).__name__
    return name
