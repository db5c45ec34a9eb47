"""Retrieval evaluated on the datasets of NanoBEIR, which are small samples of BEIR."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edge_st_runtime.errors import OptionError
from edge_st_runtime.vectors.similarity import SimilarityFunction

from ..progress import progress_bar
from .evaluator import BaseEvaluator, Metrics, given
from .information_retrieval import InformationRetrievalEvaluator, ScoreFunctions
from .nano_data import HUB_ID, NAMES, check_names, read_set


class MultiDatasetEvaluator(BaseEvaluator):
    """Runs an evaluator for each dataset, and aggregates the values of each metric with ``aggregate_fn``."""

    evaluators: Sequence[Any]
    aggregate_fn: Callable[[list[float]], float]
    show_progress_bar: bool

    def _run(self, model: Any, output_path: str | Path | None, epoch: int, steps: int) -> tuple[Metrics, Metrics]:
        """The metrics of each dataset, and the aggregated ones."""
        found: Metrics = {}
        values: dict[str, list[float]] = {}
        with progress_bar(len(self.evaluators), self.show_progress_bar, "dataset") as advance:
            for evaluator in self.evaluators:
                metrics = evaluator(model, output_path, epoch, steps)
                found |= metrics
                for key, value in metrics.items():
                    values.setdefault(key.removeprefix(f"{evaluator.name}_"), []).append(value)
                advance(1)
        return found, {name: float(self.aggregate_fn(of)) for name, of in values.items()}


class NanoBEIREvaluator(MultiDatasetEvaluator):
    """`InformationRetrievalEvaluator` on the datasets of NanoBEIR, and the means of the metrics.

    ``dataset_names`` chooses datasets; None takes all 13. ``dataset_id`` is a folder with the datasets in BEIR's layout
    (``NanoSciFact/`` and so on), or the name of a dataset for ``datasets.load_dataset`` if that package is installed.
    ``query_prompts`` and ``corpus_prompts`` are a prompt for all datasets, or a prompt for each dataset by its name.

    Raises OptionError for unknown names and missing prompts, and what `edge_st.evaluation.datasets.read_beir` raises.
    Source: sentence-transformers' class of this name.
    """

    information_retrieval_class: ClassVar[type[InformationRetrievalEvaluator]] = InformationRetrievalEvaluator

    def __init__(
        self,
        dataset_names: Sequence[str] | None = None,
        dataset_id: str | Path = HUB_ID,
        mrr_at_k: Sequence[int] = (10,),
        ndcg_at_k: Sequence[int] = (10,),
        accuracy_at_k: Sequence[int] = (1, 3, 5, 10),
        precision_recall_at_k: Sequence[int] = (1, 3, 5, 10),
        map_at_k: Sequence[int] = (100,),
        show_progress_bar: bool = False,
        batch_size: int = 32,
        write_csv: bool = True,
        truncate_dim: int | None = None,
        score_functions: ScoreFunctions | None = None,
        main_score_function: str | SimilarityFunction | None = None,
        aggregate_fn: Callable[[list[float]], float] = np.mean,
        aggregate_key: str = "mean",
        query_prompts: str | Mapping[str, str] | None = None,
        corpus_prompts: str | Mapping[str, str] | None = None,
        write_predictions: bool = False,
    ) -> None:
        super().__init__()
        self.dataset_names = check_names(dataset_names, NAMES)
        self.dataset_id = dataset_id
        self.show_progress_bar = show_progress_bar
        self.write_csv = write_csv
        self.truncate_dim = truncate_dim
        self.score_functions = score_functions
        self.aggregate_fn, self.aggregate_key = aggregate_fn, aggregate_key
        self.query_prompts = self._as_prompts("query", query_prompts)
        self.corpus_prompts = self._as_prompts("corpus", corpus_prompts)
        self.name = f"NanoBEIR_{aggregate_key}{self._suffix}"
        self.csv_file = f"NanoBEIR_evaluation_{aggregate_key}_results.csv"
        options = {
            "mrr_at_k": mrr_at_k,
            "ndcg_at_k": ndcg_at_k,
            "accuracy_at_k": accuracy_at_k,
            "precision_recall_at_k": precision_recall_at_k,
            "map_at_k": map_at_k,
            "show_progress_bar": show_progress_bar,
            "batch_size": batch_size,
            "write_csv": write_csv,
            "score_functions": score_functions,
            "main_score_function": main_score_function,
            "write_predictions": write_predictions,
            **self._truncation,
            **self._more_options,
        }
        self.evaluators = [self._evaluator(name, options) for name in self.dataset_names]

    @property
    def _truncation(self) -> dict[str, int | None]:
        """The argument that limits the dimensions, and its value."""
        return {"truncate_dim": self.truncate_dim}

    @property
    def _more_options(self) -> dict[str, Any]:
        """Further options of the evaluators of all datasets."""
        return {}

    @property
    def _suffix(self) -> str:
        return "".join(f"_{dims}" for dims in self._truncation.values() if dims is not None)

    def _evaluator(self, name: str, options: Mapping[str, Any]) -> InformationRetrievalEvaluator:
        data = read_set(self.dataset_id, name)
        return self.information_retrieval_class(
            queries={query: text for query, text in data.queries.items() if text},
            corpus={document: text for document, text in data.corpus.items() if text},
            relevant_docs=data.relevant_docs,
            name=f"Nano{NAMES[name.lower()]}{self._suffix}",
            query_prompt=(self.query_prompts or {}).get(name),
            corpus_prompt=(self.corpus_prompts or {}).get(name),
            **options,
        )

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """The metrics of each dataset, and their means as ``NanoBEIR_mean_…``."""
        found, means = self._run(model, output_path, epoch, steps)
        extra = self.extra_metrics()
        means = {name: value for name, value in means.items() if name not in extra}
        names, first = sorted(self.score_functions or [model.similarity_fn_name]), self.evaluators[0]
        self.csv_headers = first.csv_headers
        self.primary_metric = first.main_metric(means, names)
        row = [means[key] for key in first.csv_keys(names)]
        return {**found, **self._finish(model, means, row, output_path, epoch, steps)}

    def _as_prompts(self, side: str, prompts: str | Mapping[str, str] | None) -> Mapping[str, str] | None:
        if prompts is None or isinstance(prompts, str):
            return None if prompts is None else dict.fromkeys(self.dataset_names, prompts)
        missing = [name for name in self.dataset_names if name not in prompts]
        if missing:
            raise OptionError(f"The following datasets are missing {side} prompts: {missing}")
        return prompts

    def store_metrics_in_model_card_data(
        self, model: Any, metrics: Mapping[str, Any], epoch: int = 0, step: int = 0
    ) -> None:
        """Store the means in the data of the model's card, unless there is only one dataset."""
        if len(self.dataset_names) > 1:
            super().store_metrics_in_model_card_data(model, metrics, epoch, step)

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        prompts = {"query_prompts": self.query_prompts, "corpus_prompts": self.corpus_prompts}
        return {
            "dataset_names": self.dataset_names,
            "dataset_id": self.dataset_id,
            **given(**self._truncation, **prompts),
        }
