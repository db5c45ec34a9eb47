"""Rankings of a collection's documents for each of its queries, by edge-st."""

from pathlib import Path

from beir import Collection
from measures import Ranking

from edge_st import CrossEncoder, SentenceTransformer, util
from edge_st_runtime import bm25

K1, B = 1.5, 0.75


def dense(folder: Path, data: Collection, depth: int) -> list[Ranking]:
    """The best ``depth`` by the cosine of the vectors of the exported model in ``folder``."""
    model = SentenceTransformer(str(folder))
    queries, documents = model.encode_query(data.queries), model.encode_document(data.documents)
    return [[int(hit["corpus_id"]) for hit in hits] for hits in util.semantic_search(queries, documents, top_k=depth)]


def lexical(data: Collection, depth: int) -> list[Ranking]:
    """The best ``depth`` by BM25; none whose score is 0."""
    index = bm25.BM25(k1=K1, b=B)
    index.add(data.documents)
    scores, ids = index.search(data.queries, depth)
    return [[int(i) for i, score in zip(*row, strict=True) if score > 0] for row in zip(ids, scores, strict=True)]


def fused(*rankings: list[Ranking]) -> list[Ranking]:
    """Reciprocal rank fusion of several rankings for each query."""
    return [[int(hit["corpus_id"]) for hit in _fuse(of_query)] for of_query in zip(*rankings, strict=True)]


def reranked(folder: Path, data: Collection, before: list[Ranking], candidates: int) -> list[Ranking]:
    """The first ``candidates`` in the order of the exported CrossEncoder in ``folder``; the others behind them."""
    model, after = CrossEncoder(str(folder)), []
    for query, of in zip(data.queries, before, strict=True):
        hits = model.rank(query, [data.documents[i] for i in of[:candidates]])
        after.append([*(of[hit["corpus_id"]] for hit in hits), *of[candidates:]])
    return after


def _fuse(rankings: tuple[Ranking, ...]) -> list[dict[str, float]]:
    """Fuse one query's rankings; only the places count, so the scores are those."""
    hits = [[{"corpus_id": i, "score": -float(place)} for place, i in enumerate(ranking)] for ranking in rankings]
    return util.reciprocal_rank_fusion(hits, k=60)
