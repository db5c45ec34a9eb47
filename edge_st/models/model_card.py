"""What evaluators leave with a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ModelCardData:
    """The name of a model, and its metrics by evaluator.

    Source: the part of sentence-transformers' class of this name that evaluation needs.
    """

    model_name: str | None = None
    base_model: str | None = None
    base_model_revision: str | None = None
    eval_results_dict: dict[Any, dict[str, Any]] = field(default_factory=dict)

    def set_evaluation_metrics(
        self,
        evaluator: Any,
        metrics: Mapping[str, Any],
        epoch: int = 0,  # noqa: ARG002 - for a training log, which there is none of
        step: int = 0,  # noqa: ARG002
    ) -> None:
        """Keep the metrics as those of ``evaluator``, in place of its earlier ones."""
        self.eval_results_dict[evaluator] = dict(metrics)
