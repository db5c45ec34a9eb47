"""Reranking of documents by a cross-encoder: do relevant documents come first?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edge_st_runtime.errors import InputError

from .evaluator import BaseEvaluator, Metrics, method_of
from .ranking import NOTHING_FOUND, RankMeasures, at_k_metrics, listed_measures, mean_measures, scored_measures
from .reranking import as_at_k, as_list, as_samples


@dataclass(frozen=True)
class _Task:
    """A query, its documents to score, and which are relevant (1) or not (0).

    ``before`` has the metrics of the ranking that is to be improved, None where there is none.
    """

    query: str
    documents: list[str]
    relevant: list[int]
    before: RankMeasures | None


class CrossEncoderRerankingEvaluator(BaseEvaluator):
    """Mean average precision, MRR and nDCG at ``at_k`` of documents ranked by a cross-encoder.

    ``samples`` are dictionaries, or a dictionary of them, with a ``query``, a list ``positive``, and either a list
    ``negative`` or a ranking ``documents``. The metrics of such a ranking before it is reranked get the prefix
    ``base_``. Positive documents that the ranking lacks are scored, too, if ``always_rerank_positives`` is true; else
    they count as not found.

    Raises InputError for a sample that lacks one of these. Source: sentence-transformers' class of this name.
    """

    def __init__(
        self,
        samples: Sequence[Mapping[str, Any]] | Mapping[Any, Mapping[str, Any]],
        at_k: int = 10,
        always_rerank_positives: bool = True,
        name: str = "",
        prompt_name: str | None = None,
        batch_size: int = 64,
        show_progress_bar: bool = False,
        write_csv: bool = True,
        mrr_at_k: int | None = None,
    ) -> None:
        super().__init__()
        self.samples = as_samples(samples, "query", "positive")
        for place, sample in enumerate(self.samples):
            _check(place, sample)
        self.at_k = as_at_k(at_k, mrr_at_k)
        self.always_rerank_positives = always_rerank_positives
        self.name = name
        self.prompt_name = prompt_name
        self.batch_size = batch_size
        self.show_progress_bar = show_progress_bar
        self.write_csv = write_csv
        self.csv_file = "_".join(filter(None, (type(self).__name__, name, f"results_@{self.at_k}.csv")))
        self.csv_headers = ["epoch", "steps", "MAP", f"MRR@{self.at_k}", f"NDCG@{self.at_k}"]
        self.primary_metric = f"ndcg@{self.at_k}"

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """``map``, ``mrr@K`` and ``ndcg@K``; for samples with ``documents`` also ``base_map``, ``base_mrr@K``, …"""
        tasks = [self._task(sample) for sample in self.samples]
        metrics = at_k_metrics(mean_measures(self._after(model, tasks)), self.at_k)
        row = list(metrics.values())
        before = [task.before for task in tasks if task.before is not None]
        base = at_k_metrics(mean_measures(before), self.at_k) if before else {}
        card = with_gains(metrics, base)
        metrics |= {f"base_{name}": value for name, value in base.items()}
        return self._finish(model, metrics, row, output_path, epoch, steps, card)

    def _task(self, sample: Mapping[str, Any]) -> _Task:
        positive = as_list(sample["positive"])
        ranking = sample.get("documents")
        if ranking is None:
            negative = list(sample["negative"])
            return _Task(sample["query"], positive + negative, [1] * len(positive) + [0] * len(negative), None)
        own = [int(document in positive) for document in ranking]
        before = listed_measures(own, len(positive), self.at_k)
        if not self.always_rerank_positives:
            return _Task(sample["query"], list(ranking), own, before)
        others = [document for document in ranking if document not in positive]
        return _Task(sample["query"], positive + others, [1] * len(positive) + [0] * len(others), before)

    def _after(self, model: Any, tasks: Sequence[_Task]) -> list[RankMeasures]:
        """The metrics of each task by the model's scores. All pairs are scored in one call."""
        kept = [task for task in tasks if any(task.relevant)]
        pairs = [[task.query, document] for task in kept for document in task.documents]
        scores = self._scores(model, pairs) if pairs else np.zeros(0)
        ends = np.cumsum([len(task.documents) for task in kept], dtype=np.int64)
        parts = iter(np.split(scores, ends[:-1])) if kept else iter(())
        return [self._measures(task.relevant, next(parts)) if any(task.relevant) else NOTHING_FOUND for task in tasks]

    def _scores(self, model: Any, pairs: Sequence[Sequence[str]]) -> Any:
        return method_of(self, model, "predict")(
            pairs,
            prompt_name=self.prompt_name,
            batch_size=self.batch_size,
            convert_to_numpy=True,
            show_progress_bar=self.show_progress_bar,
        )

    def compute_metrics(self, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[float, float, float]:
        """Reciprocal rank, nDCG and average precision of one query, from relevance and scores (documents,)."""
        found = self._measures(y_true, y_pred)
        return found.mrr, found.ndcg, found.map

    def _measures(self, relevant: ArrayLike, scores: ArrayLike) -> RankMeasures:
        return scored_measures(relevant, scores, self.at_k, np.argsort(np.asarray(scores))[::-1])

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        ranked = self.samples and "documents" in self.samples[0]
        return {"at_k": self.at_k, **({"always_rerank_positives": self.always_rerank_positives} if ranked else {})}


def with_gains(metrics: Mapping[str, float], base: Mapping[str, float]) -> dict[str, Any]:
    """The metrics as text, each with its gain over ``base``; unchanged where ``base`` is empty."""
    return {name: f"{metrics[name]:.4f} ({metrics[name] - of:+.4f})" for name, of in base.items()} or dict(metrics)


def _check(place: int, sample: Mapping[str, Any]) -> None:
    if ("negative" in sample) == ("documents" in sample):
        found = "both" if "negative" in sample else "neither"
        raise InputError(f"samples[{place}] has {found} of 'negative' and 'documents'; expected exactly one of them")
