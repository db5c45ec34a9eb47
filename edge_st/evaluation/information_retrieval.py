"""Retrieval: does a model find the relevant documents of a corpus for each query?"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import InputError
from edge_st_runtime.search.exact import keep_best, top_k
from edge_st_runtime.vectors.similarity import SimilarityFunction

from ..progress import progress_bar
from . import ranking
from .embeddings import EmbeddingEvaluator, taken
from .evaluator import Metrics, folder_of, given
from .ranking import Hits
from .statistics import Values

ScoreFunctions: TypeAlias = Mapping[str, Callable[[Any, Any], Any]]
#: scores and corpus positions (queries, ranks), best first
Ranked: TypeAlias = tuple[Floats, NDArray[np.int64]]
#: values by metric, such as "ndcg@k", and by k
ByMetric: TypeAlias = dict[str, dict[int, Any]]
#: the title of each metric in the CSV file, in the order of the columns
_TITLES = (
    {"accuracy@k": "Accuracy"},
    {"precision@k": "Precision", "recall@k": "Recall"},
    {"mrr@k": "MRR"},
    {"ndcg@k": "NDCG"},
    {"map@k": "MAP"},
)


class InformationRetrievalEvaluator(EmbeddingEvaluator):
    """Accuracy, precision, recall, MRR, nDCG (with gains of 0 and 1) and mean average precision at several ranks.

    ``queries`` and ``corpus`` are texts by id. ``relevant_docs`` holds the ids of each query's relevant documents;
    queries without any are left out. The corpus is encoded ``corpus_chunk_size`` texts at a time and searched exactly.
    Documents with equal scores are ordered by their ids. ``score_functions`` map embeddings (n, dim) and (m, dim)
    to scores (n, m); the default is the model's own function.

    Raises InputError where no query has a relevant document. Source: sentence-transformers' class of this name.
    """

    def __init__(
        self,
        queries: Mapping[str, str],
        corpus: Mapping[str, str],
        relevant_docs: Mapping[str, set[str]],
        corpus_chunk_size: int = 50000,
        mrr_at_k: Sequence[int] = (10,),
        ndcg_at_k: Sequence[int] = (10,),
        accuracy_at_k: Sequence[int] = (1, 3, 5, 10),
        precision_recall_at_k: Sequence[int] = (1, 3, 5, 10),
        map_at_k: Sequence[int] = (100,),
        show_progress_bar: bool = False,
        batch_size: int = 32,
        name: str = "",
        write_csv: bool = True,
        truncate_dim: int | None = None,
        score_functions: ScoreFunctions | None = None,
        main_score_function: str | SimilarityFunction | None = None,
        query_prompt: str | None = None,
        query_prompt_name: str | None = None,
        corpus_prompt: str | None = None,
        corpus_prompt_name: str | None = None,
        write_predictions: bool = False,
    ) -> None:
        super().__init__(
            "Information-Retrieval_evaluation",
            name=name,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            write_csv=write_csv,
            truncate_dim=truncate_dim,
        )
        self.queries_ids = [query for query in queries if relevant_docs.get(query)]
        if not self.queries_ids or not corpus:
            raise InputError(
                f"{len(queries)} queries, {len(corpus)} documents and relevant_docs for {len(relevant_docs)} queries, "
                "but no query has a relevant document; expected relevant_docs as {query id: {document id, ...}}"
            )
        self.queries = [queries[query] for query in self.queries_ids]
        self.corpus_ids, self.corpus = list(corpus), list(corpus.values())
        self._by_id = np.array(sorted(range(len(corpus)), key=self.corpus_ids.__getitem__), dtype=np.int64)
        self.relevant_docs = relevant_docs
        self.corpus_chunk_size = corpus_chunk_size
        self.mrr_at_k, self.ndcg_at_k, self.accuracy_at_k = mrr_at_k, ndcg_at_k, accuracy_at_k
        self.precision_recall_at_k, self.map_at_k = precision_recall_at_k, map_at_k
        self.score_functions = score_functions
        self.main_score_function = self._as_main(main_score_function)
        self.query_prompt, self.query_prompt_name = query_prompt, query_prompt_name
        self.corpus_prompt, self.corpus_prompt_name = corpus_prompt, corpus_prompt_name
        self.write_predictions = write_predictions
        self.predictions_file = self.csv_file.replace("results.csv", "predictions.jsonl")

    def __call__(
        self,
        model: Any,
        output_path: str | Path | None = None,
        epoch: int = -1,
        steps: int = -1,
        *args: Any,
        **kwargs: Any,
    ) -> Metrics:
        """The metrics as ``FUNCTION_METRIC@K``; further arguments are those of `compute_all_metrics`."""
        found = self.compute_all_metrics(model, *args, **{**kwargs, "output_path": output_path})
        metrics = flat(found)
        names = sorted(found)
        titles = [f"{name}-{title}@{k}" for name in names for _, title, k in self._columns()]
        self.csv_headers = ["epoch", "steps", *titles]
        self.primary_metric = self.main_metric(metrics, names)
        row = [metrics[key] for key in self.csv_keys(names)]
        return self._finish(model, metrics, row, output_path, epoch, steps)

    def csv_keys(self, names: Sequence[str]) -> list[str]:
        """The names of the metrics of these score functions, in the order of the CSV file's columns."""
        return [f"{name}_{metric[:-1]}{k}" for name in names for metric, _, k in self._columns()]

    def main_metric(self, metrics: Metrics, names: Sequence[str]) -> str:
        """The name of the nDCG of the main score function, or of the best function where none is named."""
        named = [self.main_score_function.value] if self.main_score_function else names
        return max((f"{name}_ndcg@{max(self.ndcg_at_k)}" for name in named), key=lambda key: metrics.get(key, 0.0))

    def compute_all_metrics(
        self,
        model: Any,
        corpus_model: Any = None,
        corpus_embeddings: Any = None,
        output_path: str | Path | None = None,
    ) -> dict[str, ByMetric]:
        """The metrics of each score function, as ``found["cosine"]["ndcg@k"][10]``.

        ``corpus_model`` encodes the corpus in place of ``model``. With ``corpus_embeddings``, an array (documents, dim)
        or a list, the corpus is not encoded.
        """
        ranked = self.search(model, corpus_model, corpus_embeddings)
        if self.write_predictions and output_path is not None:
            for name, found in ranked.items():
                self._write_predictions(folder_of(output_path), name, found)
        return {name: averages(self.by_query(self.hits(ids))) for name, (_, ids) in ranked.items()}

    compute_metrices = compute_all_metrics

    def search(self, model: Any, corpus_model: Any = None, corpus_embeddings: Any = None) -> dict[str, Ranked]:
        """Scores and corpus positions (queries, ranks) for each score function, up to the largest k of any metric."""
        functions = self.score_functions or self._functions_of(model)
        depth = max(k for _, _, k in self._columns())
        queries = self._embed_side(model, "query", self.queries)
        empty = np.empty((len(self.queries), 0), dtype=np.float32), np.empty((len(self.queries), 0), dtype=np.int64)
        best: dict[str, Ranked] = dict.fromkeys(functions, empty)
        size = self.corpus_chunk_size
        with progress_bar(len(self.corpus), self.show_progress_bar, "document") as advance:
            for start in range(0, len(self.corpus), size):
                part = self._by_id[start : start + size]
                if corpus_embeddings is None:
                    texts = [self.corpus[place] for place in part]
                    documents = self._embed_side(corpus_model or model, "document", texts)
                else:
                    documents = taken(corpus_embeddings, part)
                for name, function in functions.items():
                    scores, found = top_k(queries, documents, depth, function)
                    best[name] = keep_best(depth, best[name], (scores, part[found]))
                advance(len(part))
        return best

    def _functions_of(self, model: Any) -> ScoreFunctions:
        """The score function of ``model``, under its name."""
        return {model.similarity_fn_name: model.similarity}

    def _embed_side(self, model: Any, side: str, texts: Sequence[str]) -> Any:
        prompts = {
            "query": {"prompt_name": self.query_prompt_name, "prompt": self.query_prompt},
            "document": {"prompt_name": self.corpus_prompt_name, "prompt": self.corpus_prompt},
        }
        return self.embed_inputs(model, texts, side, **prompts[side])

    def compute_metrics(self, queries_result_list: Sequence[Iterable[Mapping[str, Any]]]) -> ByMetric:
        """The metrics of results: for each query a list of ``{"corpus_id": id, "score": float}`` in any order."""
        return averages(self.by_query(self.hits_of(queries_result_list)))

    def hits_of(self, queries_result_list: Sequence[Iterable[Mapping[str, Any]]]) -> Hits:
        """Whether each result is relevant: (queries, ranks), best first; False beyond a query's last result."""
        depth = max(map(len, queries_result_list), default=0)  # type: ignore[arg-type]
        hits = np.zeros((len(self.queries_ids), depth), dtype=bool)
        for row, query, found in zip(hits, self.queries_ids, queries_result_list, strict=True):
            ordered = sorted(found, key=lambda hit: (-hit["score"], hit["corpus_id"]))
            row[: len(ordered)] = [hit["corpus_id"] in self.relevant_docs[query] for hit in ordered]
        return hits

    def hits(self, ids: NDArray[np.int64]) -> Hits:
        """Whether the documents at the corpus positions ``ids`` (queries, ranks) are relevant to their query."""
        places = {document: place for place, document in enumerate(self.corpus_ids)}
        relevant = (
            [places[each] for each in self.relevant_docs[query] if each in places] for query in self.queries_ids
        )
        return np.array([np.isin(row, wanted) for row, wanted in zip(ids, relevant, strict=True)])

    def by_query(self, hits: Hits) -> dict[str, dict[int, Values]]:
        """Every metric for each query (queries,), from hits (queries, ranks)."""
        relevant = np.array([len(self.relevant_docs[query]) for query in self.queries_ids])
        both = self.precision_recall_at_k
        return {
            "accuracy@k": {k: ranking.accuracy(hits, k) for k in self.accuracy_at_k},
            "precision@k": {k: ranking.precision(hits, k) for k in both},
            "recall@k": {k: ranking.recall(hits, relevant, k) for k in both},
            "ndcg@k": {k: ranking.binary_ndcg(hits, relevant, k) for k in self.ndcg_at_k},
            "mrr@k": {k: ranking.reciprocal_rank(hits, k) for k in self.mrr_at_k},
            "map@k": {k: ranking.mean_precision(hits, relevant, k) for k in self.map_at_k},
        }

    def _columns(self) -> list[tuple[str, str, int]]:
        """(metric, title, k) of each column of the CSV file."""
        ranks = (self.accuracy_at_k, self.precision_recall_at_k, self.mrr_at_k, self.ndcg_at_k, self.map_at_k)
        return [
            (metric, title, k)
            for titles, ks in zip(_TITLES, ranks, strict=True)
            for k in ks
            for metric, title in titles.items()
        ]

    def results(self, ranked: Ranked) -> list[list[dict[str, Any]]]:
        """The results of `search`: for each query a list of ``{"corpus_id": id, "score": float}``, best first."""
        rows = zip(*(array.tolist() for array in ranked), strict=True)
        return [
            [{"corpus_id": self.corpus_ids[place], "score": score} for score, place in zip(*row, strict=True)]
            for row in rows
        ]

    def _write_predictions(self, folder: Path, name: str, ranked: Ranked) -> None:
        path = folder / self.predictions_file.replace(".jsonl", f"_{name}.jsonl")
        with path.open("w", encoding="utf-8") as file:
            for query_id, query, results in zip(self.queries_ids, self.queries, self.results(ranked), strict=True):
                file.write(json.dumps({"query_id": query_id, "query": query, "results": results}) + "\n")

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        return {
            **super().get_config_dict(),
            **given(
                query_prompt=self.query_prompt,
                query_prompt_name=self.query_prompt_name,
                corpus_prompt=self.corpus_prompt,
                corpus_prompt_name=self.corpus_prompt_name,
            ),
        }


def averages(found: Mapping[str, Mapping[int, Values]]) -> ByMetric:
    """The mean of every metric over the queries."""
    return {name: {k: float(np.mean(each)) for k, each in values.items()} for name, values in found.items()}


def flat(found: Mapping[str, ByMetric]) -> Metrics:
    """The metrics as ``FUNCTION_METRIC@K``, or as ``METRIC@K`` for a score function without a name."""
    return {
        "_".join(filter(None, (name, f"{metric[:-1]}{k}"))): value
        for name, of in found.items()
        for metric, values in of.items()
        for k, value in values.items()
    }
