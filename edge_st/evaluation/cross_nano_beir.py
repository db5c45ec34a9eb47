"""A cross-encoder's reranking of BM25 results, evaluated on the datasets of NanoBEIR."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .cross_reranking import CrossEncoderRerankingEvaluator, with_gains
from .evaluator import Metrics
from .nano_beir import MultiDatasetEvaluator
from .nano_data import HUB_ID, NAMES, check_names, read_rankings, read_set

_NOT_RERANKED = ("arguana", "touche2020")


class CrossEncoderNanoBEIREvaluator(MultiDatasetEvaluator):
    """`CrossEncoderRerankingEvaluator` on the datasets of NanoBEIR, and the means of the metrics.

    The ``rerank_k`` best documents by BM25 are reranked for each query. ``dataset_names`` and ``dataset_id`` are as for
    `NanoBEIREvaluator`, but None for ``dataset_names`` takes 11 datasets, without ArguAna and Touche2020. The folder of
    a dataset may hold the BM25 rankings in ``bm25.jsonl``, one ``{"query-id": …, "corpus-ids": […]}`` per line;
    otherwise they are computed.

    Raises what `NanoBEIREvaluator` raises. Source: sentence-transformers' class of this name.
    """

    def __init__(
        self,
        dataset_names: Sequence[str] | None = None,
        dataset_id: str | Path = HUB_ID,
        rerank_k: int = 100,
        at_k: int = 10,
        always_rerank_positives: bool = True,
        prompt_name: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool = False,
        write_csv: bool = True,
        aggregate_fn: Callable[[list[float]], float] = np.mean,
        aggregate_key: str = "mean",
    ) -> None:
        super().__init__()
        self.dataset_names = check_names(dataset_names, [name for name in NAMES if name not in _NOT_RERANKED])
        self.dataset_id = dataset_id
        self.rerank_k, self.at_k = rerank_k, at_k
        self.always_rerank_positives = always_rerank_positives
        self.show_progress_bar = show_progress_bar
        self.write_csv = write_csv
        self.aggregate_fn, self.aggregate_key = aggregate_fn, aggregate_key
        self.name = f"NanoBEIR_R{rerank_k}_{aggregate_key}"
        self.csv_file = f"NanoBEIR_evaluation_{aggregate_key}_results.csv"
        self.csv_headers = ["epoch", "steps", "MAP", f"MRR@{at_k}", f"NDCG@{at_k}"]
        self.primary_metric = f"ndcg@{at_k}"
        options: dict[str, Any] = {
            "at_k": at_k,
            "always_rerank_positives": always_rerank_positives,
            "prompt_name": prompt_name,
            "batch_size": batch_size,
            "show_progress_bar": show_progress_bar,
            "write_csv": write_csv,
        }
        self.evaluators = [
            CrossEncoderRerankingEvaluator(
                self._samples(name), name=f"Nano{NAMES[name.lower()]}_R{rerank_k}", **options
            )
            for name in self.dataset_names
        ]

    def _samples(self, name: str) -> list[dict[str, Any]]:
        data = read_set(self.dataset_id, name)
        relevant = data.relevant_docs
        return [
            {
                "query": data.queries[query],
                "positive": [data.corpus[document] for document in sorted(relevant[query])],
                "documents": [data.corpus[document] for document in documents],
            }
            for query, documents in read_rankings(self.dataset_id, name, data, self.rerank_k).items()
        ]

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """The metrics of each dataset, and their means as ``NanoBEIR_R100_mean_…``."""
        found, means = self._run(model, output_path, epoch, steps)
        names = ("map", f"mrr@{self.at_k}", f"ndcg@{self.at_k}")
        card = with_gains(means, {name: means[f"base_{name}"] for name in names})
        row = [means[name] for name in names]
        return {**found, **self._finish(model, means, row, output_path, epoch, steps, card)}

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        names = ("dataset_names", "dataset_id", "rerank_k", "at_k", "always_rerank_positives")
        return {name: getattr(self, name) for name in names}
