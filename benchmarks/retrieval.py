"""nDCG@10 and recall@100 of dense search, BM25, their fusion, and the fusion reranked, all by edge-st.

Run ``python benchmarks/retrieval.py --dense EXPORTED --reranker EXPORTED --data BEIR_FOLDER``. Everything is encoded
anew. If the package bm25s is installed, the table also has its figures for the same tokens, k1 and b.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

from measures import Ranking, ndcg, recall
from rankings import K1, B, dense, drawn, fused, grades, lexical, reranked, texts
from tables import table

from edge_st.evaluation.datasets import RetrievalData, read_beir
from edge_st_runtime.store.sparse.words import unicode_words

DEPTH = 100


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--dense", type=Path, required=True, help="an exported SentenceTransformer")
    made.add_argument("--reranker", type=Path, required=True, help="an exported CrossEncoder")
    made.add_argument("--data", type=Path, required=True, help="a folder in BEIR's layout")
    made.add_argument("--split", default="train", help="the queries are taken from qrels/SPLIT.tsv")
    made.add_argument("--queries", type=int, help="the number of queries, drawn with a fixed seed (default: all)")
    made.add_argument(
        "--candidates", type=int, default=20, help=f"how many of the {DEPTH} documents found are reranked"
    )
    options = made.parse_args()
    data = drawn(read_beir(options.data, options.split), options.queries)
    judged = grades(data)
    rows = [
        [name, f"{ndcg(found, judged):.4f}", f"{recall(found, judged):.4f}"]
        for name, found in _rankings(options, data).items()
    ]
    title = f"{options.data.name} {options.split}: {len(data.queries)} queries, {len(data.corpus)} documents"
    print(table([title, "nDCG@10", "recall@100"], rows))


def _rankings(options: argparse.Namespace, data: RetrievalData) -> dict[str, list[Ranking]]:
    found = {"dense": dense(options.dense, data, DEPTH), "BM25": lexical(data, DEPTH)}
    if find_spec("bm25s"):
        found["BM25 of bm25s"] = _bm25s(data)
    else:
        print("bm25s is not installed and is left out")
    hybrid = found["hybrid"] = fused(found["dense"], found["BM25"])
    found[f"hybrid, {options.candidates} reranked"] = reranked(options.reranker, data, hybrid, options.candidates)
    return found


def _bm25s(data: RetrievalData) -> list[Ranking]:
    """Rankings by bm25s with Lucene's formula and edge-st's words, without documents with a score of 0."""
    import bm25s

    queries, documents = texts(data)
    index = bm25s.BM25(method="lucene", k1=K1, b=B)
    index.index([unicode_words(text) for text in documents], show_progress=False)
    words = [unicode_words(text) for text in queries]
    ids, scores = index.retrieve(words, k=min(DEPTH, len(documents)), show_progress=False)
    return [[int(i) for i, score in zip(*row, strict=True) if score > 0] for row in zip(ids, scores, strict=True)]


if __name__ == "__main__":
    main()
