"""The base of all evaluators. Source: sentence-transformers' BaseEvaluator, and what its evaluators repeat."""

import csv
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from edge_st_runtime.checks import check_ordered
from edge_st_runtime.errors import InputError, OptionError

logger = logging.getLogger(__name__)
Metrics: TypeAlias = dict[str, float]


class BaseEvaluator:
    """Evaluates a model: ``evaluator(model, output_path=None, epoch=-1, steps=-1)`` returns metrics by name.

    ``primary_metric`` is the name of the most important metric, ``greater_is_better`` its direction. If an
    ``output_path`` is given and ``write_csv`` is true, a row is appended to ``csv_file`` in that folder, which is
    created if it is missing.
    """

    name = ""
    write_csv = True
    csv_file = ""
    csv_headers: list[str]
    primary_metric: str | None

    def __init__(self) -> None:
        self.greater_is_better = True
        self.primary_metric = None
        self.csv_headers = ["epoch", "steps"]

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Any:
        """Evaluate ``model`` and return the metrics by name."""
        raise NotImplementedError

    def prefix_name_to_metrics(self, metrics: Mapping[str, Any], name: str) -> dict[str, Any]:
        """The metrics as float, each key with the prefix ``name_``. `primary_metric` gets the prefix, too."""
        if not name:
            return {key: _as_float(value) for key, value in metrics.items()}
        if self.primary_metric is not None and not self.primary_metric.startswith(f"{name}_"):
            self.primary_metric = f"{name}_{self.primary_metric}"
        return {f"{name}_{key}": _as_float(value) for key, value in metrics.items()}

    def store_metrics_in_model_card_data(
        self, model: Any, metrics: Mapping[str, Any], epoch: int = 0, step: int = 0
    ) -> None:
        """Store the metrics in the data of the model's card."""
        model.model_card_data.set_evaluation_metrics(self, metrics, epoch, step)

    @property
    def description(self) -> str:
        """The class's name in words."""
        name = re.sub("^CE", "CrossEncoder", type(self).__name__).partition("Evaluator")[0]
        return re.sub("([a-z])([A-Z])", r"\g<1> \g<2>", name)

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        return {}

    def extra_metrics(self) -> Metrics:
        """Further metrics, which go to the end of the CSV row and of the dictionary."""
        return {}

    def _finish(
        self,
        model: Any,
        metrics: Mapping[str, float],
        row: Sequence[Any],
        output_path: str | Path | None,
        epoch: int,
        steps: int,
        card: Mapping[str, Any] | None = None,
    ) -> Metrics:
        """Write the CSV ``row``, and return the metrics with the evaluator's name as prefix.

        The metrics are stored in the data of the model's card, or ``card`` in their place where it is given.
        """
        extra = self.extra_metrics()
        self._write_row(output_path, [epoch, steps, *row, *extra.values()], extra)
        found = self.prefix_name_to_metrics({**metrics, **extra}, self.name)
        logger.info("%s on %r%s: %s", self.description, self.name, _moment(epoch, steps), found)
        kept = found if card is None else self.prefix_name_to_metrics(card, self.name)
        self.store_metrics_in_model_card_data(model, kept, epoch, steps)
        return found

    def _write_row(self, output_path: str | Path | None, row: Sequence[Any], extra: Mapping[str, float]) -> None:
        if output_path is None or not self.write_csv:
            return
        path = folder_of(output_path) / self.csv_file
        new = not path.is_file()
        with path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([[*self.csv_headers, *extra], row] if new else [row])


SentenceEvaluator = BaseEvaluator


def folder_of(output_path: str | Path) -> Path:
    """The folder to write to; it is created if it is missing."""
    path = Path(output_path)
    path.mkdir(parents=True, exist_ok=True)
    return path


def given(**settings: Any) -> dict[str, Any]:
    """The settings that are not None."""
    return {name: value for name, value in settings.items() if value is not None}


def check_same_length(**lists: Sequence[Any]) -> None:
    """Raise InputError unless all lists have the same length and are not empty, InputTypeError for sets."""
    for name, values in lists.items():
        check_ordered(name, values, "expected a list, in the same order as the others")
    if len({len(values) for values in lists.values()}) > 1 or not all(map(len, lists.values())):
        found = ", ".join(f"{len(values)} {name}" for name, values in lists.items())
        raise InputError(f"{found}; expected the same number of each, and at least one")


def method_of(evaluator: object, model: Any, name: str) -> Any:
    """The model's method of this name; raises OptionError for a model without it."""
    found = getattr(model, name, None)
    if found is None:
        raise OptionError(f"{type(evaluator).__name__} takes a model with {name}(), which {type(model).__name__} lacks")
    return found


def best_of(metrics: Mapping[str, Mapping[str, float]], name: str) -> float:
    """The largest value of the metric ``name`` over all similarity functions."""
    return max(of[name] for of in metrics.values())


def _as_float(value: Any) -> Any:
    try:
        return float(value)
    except ValueError:
        return value


def _moment(epoch: int, steps: int) -> str:
    if epoch == -1:
        return ""
    return f" after epoch {epoch}" if steps == -1 else f" in epoch {epoch} after {steps} steps"
