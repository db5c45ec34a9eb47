"""Reciprocal rank fusion of dense and sparse rankings, evaluated against both."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import InputError
from edge_st_runtime.search.fusion import reciprocal_rank_fusion

from .evaluator import BaseEvaluator, Metrics, check_same_length, folder_of
from .ranking import at_k_metrics, listed_measures, mean_measures
from .reranking import as_list

_RANKINGS = ("dense", "sparse", "fusion")
_TITLES = ("MAP", "MRR@{k}", "NDCG@{k}")


class ReciprocalRankFusionEvaluator(BaseEvaluator):
    """Mean average precision, MRR and nDCG at ``at_k`` of dense rankings, sparse rankings and their fusion.

    The evaluator is called without a model. Both lists of samples hold the same queries in the same order. A sample
    has a ``query_id``, a ``query``, its ``positive`` documents and a ranking ``documents``.

    Raises InputError for lists of different queries or lengths, and for a sample without a ``query_id``. Source:
    sentence-transformers' class of this name.
    """

    def __init__(
        self,
        dense_samples: Sequence[Mapping[str, Any]],
        sparse_samples: Sequence[Mapping[str, Any]],
        at_k: int = 10,
        rrf_k: int = 60,
        name: str = "",
        batch_size: int = 32,
        show_progress_bar: bool = False,
        write_csv: bool = True,
        write_predictions: bool = False,
    ) -> None:
        super().__init__()
        check_same_length(dense_samples=dense_samples, sparse_samples=sparse_samples)
        for place, both in enumerate(zip(dense_samples, sparse_samples, strict=True)):
            _check(place, *both)
        self.dense_samples, self.sparse_samples = dense_samples, sparse_samples
        self.at_k, self.rrf_k = at_k, rrf_k
        self.name = name
        self.batch_size = batch_size
        self.show_progress_bar = show_progress_bar
        self.write_csv = write_csv
        self.write_predictions = write_predictions
        stem = "_".join(filter(None, ("ReciprocalRankFusion_evaluation", name)))
        self.csv_file, self.predictions_file = f"{stem}_results.csv", f"{stem}_predictions.jsonl"
        titles = [title.format(k=at_k) for title in _TITLES]
        self.csv_headers = ["epoch", "steps", *(f"{kind.title()}_{title}" for kind in _RANKINGS for title in titles)]
        self.primary_metric = f"ndcg@{at_k}"

    def __call__(self, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:  # type: ignore[override]
        """``map``, ``mrr@K`` and ``ndcg@K`` of the fusion; the others get the prefixes ``dense_`` and ``sparse_``."""
        rankings: dict[str, list[list[str]]] = {
            "dense": [list(sample["documents"]) for sample in self.dense_samples],
            "sparse": [list(sample["documents"]) for sample in self.sparse_samples],
        }
        rankings["fusion"] = [self._fused(*both) for both in zip(rankings["dense"], rankings["sparse"], strict=True)]
        metrics: Metrics = {}
        for kind, ranked in rankings.items():
            prefix = "" if kind == "fusion" else f"{kind}_"
            metrics |= {f"{prefix}{name}": value for name, value in self._measures(ranked).items()}
        self._write_row(output_path, [epoch, steps, *metrics.values()], {})
        if self.write_predictions and output_path is not None:
            self._write_predictions(folder_of(output_path) / self.predictions_file, rankings["fusion"])
        return self.prefix_name_to_metrics(metrics, self.name)

    def _fused(self, *rankings: Sequence[str]) -> list[str]:
        hits = [[{"corpus_id": document, "score": 0.0} for document in ranking] for ranking in rankings]
        return [hit["corpus_id"] for hit in reciprocal_rank_fusion(hits, k=self.rrf_k)]

    def _measures(self, rankings: Sequence[Sequence[str]]) -> dict[str, float]:
        found = []
        for sample, ranking in zip(self.dense_samples, rankings, strict=True):
            positive = as_list(sample["positive"])
            relevant = [int(document in positive) for document in ranking]
            found.append(listed_measures(relevant, len(positive), self.at_k))
        return at_k_metrics(mean_measures(found), self.at_k)

    def _write_predictions(self, path: Path, rankings: Sequence[Sequence[str]]) -> None:
        with path.open("w", encoding="utf-8") as file:
            for sample, ranking in zip(self.dense_samples, rankings, strict=True):
                found = {name: sample[name] for name in ("query_id", "query")}
                positive = as_list(sample["positive"])
                file.write(json.dumps({**found, "positive": positive, "documents": ranking}) + "\n")

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        return {"at_k": self.at_k, "rrf_k": self.rrf_k, "write_predictions": self.write_predictions}


def _check(place: int, dense: Mapping[str, Any], sparse: Mapping[str, Any]) -> None:
    for kind, sample in (("dense", dense), ("sparse", sparse)):
        if "query_id" not in sample:
            raise InputError(f"{kind}_samples[{place}] has no 'query_id'; it has {', '.join(map(repr, sample))}")
    if dense["query_id"] != sparse["query_id"]:
        raise InputError(
            f"dense_samples[{place}] has the query_id {dense['query_id']!r}, sparse_samples[{place}] has "
            f"{sparse['query_id']!r}; expected the same"
        )
