"""Reranking of documents by similarity to the query: do relevant documents come first?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_st_runtime.errors import InputError
from edge_st_runtime.vectors.similarity import Similarity, cos_sim

from ..progress import progress_bar
from .embeddings import EmbeddingEvaluator
from .evaluator import Metrics, logger
from .ranking import RankMeasures, at_k_metrics, mean_measures, scored_measures


class RerankingEvaluator(EmbeddingEvaluator):
    """Mean average precision, MRR and nDCG at ``at_k`` of documents ranked by their similarity to the query.

    ``samples`` are dictionaries, or a dictionary of them, with a ``query``, and ``positive`` and ``negative``: lists of
    documents, or one document. A sample with an empty list is left out. In nDCG, equal scores share their gains, as in
    scikit-learn. Where ``similarity_fct`` is None, it is the model's own.

    Raises InputError for a sample that lacks one of these, and where no sample is left. Source: sentence-transformers'
    class of this name.
    """

    def __init__(
        self,
        samples: Sequence[Mapping[str, Any]] | Mapping[Any, Mapping[str, Any]],
        at_k: int = 10,
        name: str = "",
        write_csv: bool = True,
        similarity_fct: Similarity | None = cos_sim,
        batch_size: int = 64,
        show_progress_bar: bool = False,
        use_batched_encoding: bool = True,
        truncate_dim: int | None = None,
        mrr_at_k: int | None = None,
    ) -> None:
        super().__init__(
            "RerankingEvaluator",
            name=name,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            write_csv=write_csv,
            truncate_dim=truncate_dim,
        )
        found = as_samples(samples, "query", "positive", "negative")
        found = [{**each, **{side: as_list(each[side]) for side in ("positive", "negative")}} for each in found]
        self.samples = [each for each in found if len(each["positive"]) and len(each["negative"])]
        if not self.samples:
            raise InputError(
                f"{len(found)} samples, but none has both a positive and a negative document; expected at least one"
            )
        self.at_k = as_at_k(at_k, mrr_at_k)
        self.similarity_fct = similarity_fct
        self.use_batched_encoding = use_batched_encoding
        self.csv_file = "_".join(filter(None, ("RerankingEvaluator", name, f"results_@{self.at_k}.csv")))
        self.csv_headers = ["epoch", "steps", "MAP", f"MRR@{self.at_k}", f"NDCG@{self.at_k}"]
        self.primary_metric = f"ndcg@{self.at_k}"

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """``map``, ``mrr@K`` and ``ndcg@K``."""
        metrics = at_k_metrics(RankMeasures(**self.compute_metrics(model)), self.at_k)
        return self._finish(model, metrics, list(metrics.values()), output_path, epoch, steps)

    def compute_metrics(self, model: Any) -> dict[str, float]:
        """``map``, ``mrr`` and ``ndcg``; all texts are embedded in one call if ``use_batched_encoding`` is true."""
        batched = self.use_batched_encoding
        return self.compute_metrics_batched(model) if batched else self.compute_metrics_individual(model)

    def compute_metrics_batched(self, model: Any) -> dict[str, float]:
        """`compute_metrics` with all texts embedded in one call."""
        show = self.show_progress_bar
        queries = self._embed(model, [sample["query"] for sample in self.samples], "query", show)
        texts = [text for sample in self.samples for text in (*sample["positive"], *sample["negative"])]
        documents = self._embed(model, texts, "document", show)
        ends = np.cumsum([len(sample["positive"]) + len(sample["negative"]) for sample in self.samples])
        starts = [0, *ends[:-1].tolist()]
        rows = enumerate(zip(self.samples, starts, ends.tolist(), strict=True))
        score = self._similarity_of(model)
        found = [self._measures(each, score(queries[i : i + 1], documents[a:b])) for i, (each, a, b) in rows]
        return mean_measures(found)._asdict()

    def compute_metrics_individual(self, model: Any) -> dict[str, float]:
        """`compute_metrics` with one call for each sample, which takes less memory."""
        found = []
        with progress_bar(len(self.samples), self.show_progress_bar, "sample") as advance:
            for sample in self.samples:
                query = self._embed(model, [sample["query"]], "query", False)
                texts = [*sample["positive"], *sample["negative"]]
                documents = self._embed(model, texts, "document", False)
                found.append(self._measures(sample, self._similarity_of(model)(query, documents)))
                advance(1)
        return mean_measures(found)._asdict()

    compute_metrices = compute_metrics
    compute_metrices_batched = compute_metrics_batched
    compute_metrices_individual = compute_metrics_individual

    def _embed(self, model: Any, texts: Sequence[str], side: str, show: bool) -> Any:
        return self.embed_inputs(model, texts, encode_fn_name=side, show_progress_bar=show)

    def _similarity_of(self, model: Any) -> Similarity:
        """The function of this evaluator, or that of ``model``."""
        found: Similarity = self.similarity_fct or model.similarity
        return found

    def _measures(self, sample: Mapping[str, Any], of_documents: Any) -> RankMeasures:
        scores = np.asarray(of_documents).reshape(-1)
        relevant = [1] * len(sample["positive"]) + [0] * len(sample["negative"])
        return scored_measures(relevant, scores, self.at_k, np.argsort(-scores, kind="stable"))

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        return {"at_k": self.at_k, **super().get_config_dict()}


def as_samples(samples: Any, *keys: str) -> list[Mapping[str, Any]]:
    """The samples as a list; raises InputError for a sample that lacks a key."""
    found = list(samples.values() if isinstance(samples, Mapping) else samples)
    for place, sample in enumerate(found):
        missing = next((key for key in keys if key not in sample), None)
        if missing:
            raise InputError(f"samples[{place}] has no {missing!r}; it has {', '.join(map(repr, sample)) or 'no keys'}")
    return found


def as_at_k(at_k: int, mrr_at_k: int | None) -> int:
    """``at_k``, or the value of its old name ``mrr_at_k`` where that is given."""
    if mrr_at_k is None:
        return at_k
    logger.warning("The `mrr_at_k` parameter has been deprecated; please use `at_k=%d` instead.", mrr_at_k)
    return mrr_at_k


def as_list(texts: str | Sequence[str]) -> list[str]:
    """The texts as a list; a single text becomes a list of one."""
    return [texts] if isinstance(texts, str) else list(texts)
