"""Rankings of documents for the queries of a retrieval set, by edge-st. Documents are given by their positions."""

import random
from dataclasses import replace
from pathlib import Path

from measures import Ranking

from edge_st import CrossEncoder, SentenceTransformer, util
from edge_st.evaluation.candidates import bm25_candidates
from edge_st.evaluation.datasets import RetrievalData

K1, B = 1.5, 0.75


def drawn(data: RetrievalData, count: int | None) -> RetrievalData:
    """The data with ``count`` of its queries, drawn with a fixed seed; with all queries for None or a larger count."""
    if count is None or count >= len(data.queries):
        return data
    kept = random.Random(1).sample(list(data.queries), count)
    return replace(
        data, queries={key: data.queries[key] for key in kept}, grades={key: data.grades[key] for key in kept}
    )


def texts(data: RetrievalData) -> tuple[list[str], list[str]]:
    """The queries and the documents, in order."""
    return list(data.queries.values()), list(data.corpus.values())


def grades(data: RetrievalData) -> list[dict[int, int]]:
    """The grades above 0 of each query, by document."""
    positions = {key: position for position, key in enumerate(data.corpus)}
    return [{positions[key]: grade for key, grade in data.grades[query].items() if grade > 0} for query in data.queries]


def dense(folder: Path, data: RetrievalData, depth: int) -> list[Ranking]:
    """The best ``depth`` documents by cosine, with the exported model in ``folder``."""
    model = SentenceTransformer(str(folder))
    queries, documents = texts(data)
    found = util.semantic_search(model.encode_query(queries), model.encode_document(documents), top_k=depth)
    return [[int(hit["corpus_id"]) for hit in hits] for hits in found]


def lexical(data: RetrievalData, depth: int) -> list[Ranking]:
    """The best ``depth`` documents by BM25, without those with a score of 0."""
    positions = {key: position for position, key in enumerate(data.corpus)}
    return [[positions[key] for key in found] for found in bm25_candidates(data, depth).values()]


def fused(*rankings: list[Ranking]) -> list[Ranking]:
    """Reciprocal rank fusion of several rankings for each query."""
    return [[int(hit["corpus_id"]) for hit in _fuse(of_query)] for of_query in zip(*rankings, strict=True)]


def reranked(folder: Path, data: RetrievalData, before: list[Ranking], candidates: int) -> list[Ranking]:
    """The first ``candidates`` documents reordered by the exported CrossEncoder in ``folder``, then the others."""
    model, after = CrossEncoder(str(folder)), []
    queries, documents = texts(data)
    for query, of in zip(queries, before, strict=True):
        hits = model.rank(query, [documents[i] for i in of[:candidates]])
        after.append([*(of[hit["corpus_id"]] for hit in hits), *of[candidates:]])
    return after


def _fuse(rankings: tuple[Ranking, ...]) -> list[dict[str, float]]:
    """Fuse the rankings of one query. Only ranks count, so the scores are made from them."""
    hits = [[{"corpus_id": i, "score": -float(place)} for place, i in enumerate(ranking)] for ranking in rankings]
    return util.reciprocal_rank_fusion(hits, k=60)
