"""Several evaluators run one after the other."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .evaluator import BaseEvaluator, Metrics


class SequentialEvaluator(BaseEvaluator):
    """Runs ``evaluators`` in order. ``main_score_function`` computes ``sequential_score`` from their primary metrics.

    Source: sentence-transformers' class of this name.
    """

    def __init__(
        self,
        evaluators: Iterable[BaseEvaluator],
        main_score_function: Callable[[list[float]], float] = lambda scores: scores[-1],
    ) -> None:
        super().__init__()
        self.evaluators = list(evaluators)
        self.main_score_function = main_score_function

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """The metrics of all evaluators, and ``sequential_score``."""
        results: Metrics = {}
        scores: list[float] = []
        for place, evaluator in enumerate(self.evaluators):
            found = evaluator(model, output_path, epoch, steps)
            if not isinstance(found, dict):
                found = {f"evaluator_{place}": found}
            primary = getattr(evaluator, "primary_metric", None)
            scores.append(next(iter(found.values())) if primary is None else found[primary])
            results |= found
        self.primary_metric = "sequential_score"
        return {**results, "sequential_score": self.main_score_function(scores) if scores else 0.0}
