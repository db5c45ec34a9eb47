"""The candidates that a cross-encoder ranks: documents found by BM25."""

from edge_st_runtime.store.sparse.bm25 import BM25

from .datasets import RetrievalData


def bm25_candidates(data: RetrievalData, depth: int) -> dict[str, list[str]]:
    """The ids of each query's ``depth`` best documents by BM25, best first.

    Documents that share no word with the query are left out.
    """
    index = BM25()
    index.add(list(data.corpus.values()))
    scores, places = index.search(list(data.queries.values()), depth)
    ids = list(data.corpus)
    rows = zip(data.queries, places.tolist(), scores.tolist(), strict=True)
    return {query: [ids[place] for place, score in zip(of, row, strict=True) if score > 0] for query, of, row in rows}
