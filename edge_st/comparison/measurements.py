"""One variant measured on one data set: the evaluators' metrics, and the quality of each item."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats

from ..evaluation import (
    BinaryClassificationEvaluator,
    CrossEncoderClassificationEvaluator,
    CrossEncoderCorrelationEvaluator,
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
    MultiVectorInformationRetrievalEvaluator,
    MultiVectorTripletEvaluator,
    SparseBinaryClassificationEvaluator,
    SparseEmbeddingSimilarityEvaluator,
    SparseInformationRetrievalEvaluator,
    SparseTripletEvaluator,
    TripletEvaluator,
)
from ..evaluation.datasets import Dataset, PairData, RetrievalData, SimilarityData, TripletData
from ..evaluation.embeddings import DENSE, MULTI_VECTOR, SPARSE
from ..evaluation.information_retrieval import averages, flat
from ..evaluation.significance import Statistic
from ..evaluation.statistics import Values, average_precision, average_ranks, spearman
from .cached_models import CachedCrossEncoder, CachedModel
from .random_pairs import random_pairs

#: a pair of an STS file belongs together where its score is at least this share of the scale
ALIKE = 0.8
_RANK = 10
_SHOWN = 3
Hit: TypeAlias = dict[str, Any]
#: the evaluators of dense encoders, of sparse encoders and of cross-encoders
_OF_PAIRS: Mapping[type, tuple[Any, Any, Any]] = {
    SimilarityData: (
        EmbeddingSimilarityEvaluator,
        SparseEmbeddingSimilarityEvaluator,
        CrossEncoderCorrelationEvaluator,
    ),
    PairData: (
        BinaryClassificationEvaluator,
        SparseBinaryClassificationEvaluator,
        CrossEncoderClassificationEvaluator,
    ),
}
#: those of each kind of embeddings
_OF_TRIPLETS: Mapping[str, Any] = {
    DENSE: TripletEvaluator,
    SPARSE: SparseTripletEvaluator,
    MULTI_VECTOR: MultiVectorTripletEvaluator,
}
_OF_RETRIEVAL: Mapping[str, Any] = {
    DENSE: InformationRetrievalEvaluator,
    SPARSE: SparseInformationRetrievalEvaluator,
    MULTI_VECTOR: MultiVectorInformationRetrievalEvaluator,
}


@dataclass(frozen=True)
class Measurement:
    """The metrics of a variant on a data set, and what they come from, item by item.

    ``primary_metric`` names one of ``metrics``. ``statistic`` computes it for any items from their ``values`` (items,).
    ``qualities`` (items,) says how well each item does by itself; ``title`` and ``details`` give the text and the lines
    to show for one. ``known`` and ``random`` are scores (n,) of pairs that belong together and of random pairs.
    """

    primary_metric: str
    metrics: Mapping[str, float]
    values: Values
    statistic: Statistic
    qualities: Values
    title: Callable[[int], str]
    details: Callable[[int], tuple[str, ...]]
    known: Floats
    random: Floats


def measure(data: Dataset, model: CachedModel) -> Measurement:
    """Measure ``model`` on ``data``; the names of metrics leave out the similarity function."""
    if isinstance(data, RetrievalData):
        found = _retrieval(data, model)
    elif isinstance(data, TripletData):
        found = _triplets(data, model)
    else:
        found = _similarity(data, model) if isinstance(data, SimilarityData) else _pairs(data, model)
    name = model.description.similarity_fn_name
    return replace(
        found,
        primary_metric=_plain(found.primary_metric, name),
        metrics={_plain(metric, name): value for metric, value in found.metrics.items()},
    )


def _plain(metric: str, function: str) -> str:
    """The metric's name without that of the similarity function."""
    known = {"average_precision": "ap"}
    return known.get(metric, metric.removeprefix(f"{function}_").removesuffix(f"_{function}"))


def _similarity(data: SimilarityData, model: Any) -> Measurement:
    evaluator, scores = _scored(data, data.scores, model)
    gold, count = np.asarray(data.scores), len(data.scores)
    ranks, gold_ranks = _ranks(scores), average_ranks(gold)
    return Measurement(
        metrics=evaluator(model),
        primary_metric=evaluator.primary_metric,
        values=ranks,
        statistic=lambda values, items: spearman(gold[items], values),
        qualities=1 - np.abs(ranks - gold_ranks) / count,
        title=lambda item: f"{data.sentences1[item]} ⟷ {data.sentences2[item]}",
        details=lambda item: (
            f"gold score {gold[item]:g} of {data.scale}: higher than {_share(gold_ranks[item], count)} of the pairs",
            f"score {scores[item]:.3f}: higher than {_share(ranks[item], count)} of the pairs",
        ),
        known=scores[gold >= ALIKE * data.scale],
        random=_random(data, data.scores, model),
    )


def _pairs(data: PairData, model: Any) -> Measurement:
    evaluator, scores = _scored(data, data.labels, model)
    labels = np.asarray(data.labels)
    right = _rightly_ordered(scores, labels)
    return Measurement(
        metrics=evaluator(model),
        primary_metric=evaluator.primary_metric,
        values=_ranks(scores),
        statistic=lambda values, items: average_precision(labels[items], values),
        qualities=right,
        title=lambda item: f"{data.sentences1[item]} ⟷ {data.sentences2[item]}",
        details=lambda item: (
            "belong together" if labels[item] else "do not belong together",
            f"score {scores[item]:.3f}: on the right side of {right[item]:.1%} of the pairs with the other label",
        ),
        known=scores[labels == 1],
        random=_random(data, data.labels, model),
    )


def _triplets(data: TripletData, model: Any) -> Measurement:
    evaluator = _OF_TRIPLETS[model.kind](data.anchors, data.positives, data.negatives)
    metrics = evaluator(model)
    ((near, far),) = evaluator.similarities(model).values()
    won = (near > far).astype(np.float64)
    anchors, others = zip(*random_pairs(data), strict=True)
    return Measurement(
        primary_metric=str(evaluator.primary_metric),
        metrics=metrics,
        values=won,
        statistic=_mean,
        qualities=(near - far).astype(np.float64),
        title=lambda item: data.anchors[item],
        details=lambda item: (
            f"positive, similarity {near[item]:.3f}: {data.positives[item]}",
            f"negative, similarity {far[item]:.3f}: {data.negatives[item]}",
        ),
        known=near,
        random=np.asarray(model.similarity_pairwise(model.encode_query(anchors), model.encode_document(others))),
    )


def _retrieval(data: RetrievalData, model: Any) -> Measurement:
    evaluator = _OF_RETRIEVAL[model.kind](data.queries, data.corpus, data.relevant_docs, ndcg_at_k=[_RANK])
    rankings = _rankings(evaluator, data, model)
    found = evaluator.by_query(evaluator.hits_of(rankings))
    qualities = found["ndcg@k"][_RANK]
    known = [(query, document) for query, ids in data.relevant_docs.items() for document in ids]
    if isinstance(model, CachedCrossEncoder):
        scored = {(query, document) for query, of in model.inputs["pair"].ranked.items() for document in of}
        known = [pair for pair in known if pair in scored]
    return Measurement(
        metrics={**flat({"": averages(found)}), **evaluator.extra_metrics()},
        primary_metric=f"ndcg@{_RANK}",
        values=qualities,
        statistic=_mean,
        qualities=qualities,
        title=lambda item: evaluator.queries[item],
        details=lambda item: _ranking(data, evaluator.queries_ids[item], rankings[item]),
        known=_similar(model, [(data.queries[query], data.corpus[document]) for query, document in known]),
        random=_similar(model, random_pairs(data)),
    )


def _rankings(evaluator: Any, data: RetrievalData, model: Any) -> list[list[Hit]]:
    """Each query's documents, best first."""
    if isinstance(model, CachedCrossEncoder):
        return [_reranked(model, data, query, documents) for query, documents in model.inputs["pair"].ranked.items()]
    (ranked,) = evaluator.search(model).values()
    return evaluator.results(ranked)


def _reranked(model: CachedCrossEncoder, data: RetrievalData, query: str, documents: Sequence[str]) -> list[Hit]:
    if not documents:
        return []
    scores = model.predict([(data.queries[query], data.corpus[document]) for document in documents]).tolist()
    hits = [{"corpus_id": document, "score": score} for document, score in zip(documents, scores, strict=True)]
    return sorted(hits, key=lambda hit: -hit["score"])


def _ranking(data: RetrievalData, query: str, found: Sequence[Hit]) -> tuple[str, ...]:
    """A line for each relevant document with its rank, then the first documents found."""
    ids = [hit["corpus_id"] for hit in found]
    lines = []
    for document in sorted(data.relevant_docs[query]):
        place = f"at rank {ids.index(document) + 1}" if document in ids else f"not among the first {len(ids)}"
        lines.append(f"relevant, {place}: {data.corpus[document]}")
    first = (f"found, score {hit['score']:.3f}: {data.corpus[hit['corpus_id']]}" for hit in found[:_SHOWN])
    return (*lines, *first)


def _scored(data: SimilarityData | PairData, known: list[Any], model: Any) -> tuple[Any, NDArray[Any]]:
    """The evaluator of the pairs that fits the model, and the scores (n,) that it evaluates."""
    of_dense, of_sparse, of_scores = _OF_PAIRS[type(data)]
    if isinstance(model, CachedCrossEncoder):
        evaluator = of_scores(list(zip(data.sentences1, data.sentences2, strict=True)), known)
        return evaluator, np.asarray(evaluator.scores_of(model))
    options = {"precision": model.precision} if model.quantized and isinstance(data, SimilarityData) else {}
    evaluator = (of_sparse if model.kind == SPARSE else of_dense)(data.sentences1, data.sentences2, known, **options)
    (scores,) = evaluator.similarities(model).values()
    return evaluator, np.asarray(scores)


def _random(data: Any, known: list[Any], model: Any) -> Floats:
    first, second = (list(side) for side in zip(*random_pairs(data), strict=True))
    return _scored(replace(data, sentences1=first, sentences2=second), known, model)[1]


def _similar(model: Any, pairs: list[tuple[str, str]]) -> Floats:
    """The scores (n,) of pairs of a query and a document."""
    if not pairs:
        return np.zeros(0, dtype=np.float32)
    if isinstance(model, CachedCrossEncoder):
        return model.predict(pairs)
    queries, documents = zip(*pairs, strict=True)
    return np.asarray(model.similarity_pairwise(model.encode_query(queries), model.encode_document(documents)))


def _ranks(scores: NDArray[Any]) -> Values:
    """Ranks (n,), which the paired test can swap between variants whose scores have different scales; NaN stays NaN."""
    return np.where(np.isnan(scores), np.nan, average_ranks(scores))


def _mean(values: Values, _items: NDArray[np.int64]) -> float:
    return float(values.mean())


def _rightly_ordered(scores: NDArray[Any], labels: NDArray[Any]) -> Values:
    """For each pair, the share of the pairs with the other label that its score is on the right side of: (n,)."""
    positive, negative = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    above = np.searchsorted(negative, scores, side="left") / len(negative)
    below = 1 - np.searchsorted(positive, scores, side="right") / len(positive)
    return np.where(labels == 1, above, below)


def _share(rank: float, count: int) -> str:
    return f"{(rank - 1) / max(1, count - 1):.0%}"
