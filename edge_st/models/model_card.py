"""What evaluators leave with a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from edge_st_runtime.model.loading import LoadedModel


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


class Evaluated:
    """A model that evaluators can measure."""

    _model: LoadedModel

    @cached_property
    def model_card_data(self) -> ModelCardData:
        """The model's name, and what evaluators found."""
        return ModelCardData(model_name=self._model.folder.path.name)

    def evaluate(self, evaluator: Any, output_path: str | Path | None = None) -> Any:
        """What ``evaluator`` gives for this model; a CSV file goes to ``output_path``, which is made if it is missing.

        Source: sentence-transformers' method of this name.
        """
        if output_path is not None:
            Path(output_path).mkdir(parents=True, exist_ok=True)
        return evaluator(self, output_path)
