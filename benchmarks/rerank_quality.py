"""The quality of reranking: edge-st's CrossEncoder beside its peers.

Run ``python benchmarks/rerank_quality.py EXPORTED --original ORIGINAL --dense DENSE --data BEIR_FOLDER``. The
candidates of each query are the best documents that edge-st finds with the dense model in the exported folder DENSE.
Every peer reranks the same candidates in a process of its own. Printed are nDCG@10 before and after, the number of
queries whose order differs from torch's, the largest difference by torch's scores of two documents that swapped places,
and the largest difference of a score.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness import Setup, Worker, opened, parser, setup
from measures import Ranking, ndcg, ranking_difference
from numpy.typing import NDArray
from rankings import dense, drawn, grades, texts
from tables import table

from edge_st.evaluation.datasets import RetrievalData, read_beir

TORCH = "sentence-transformers torch"
PEERS = [
    *("edge-st onnx", "edge-st openvino", "edge-st onnx int8", "edge-st openvino int8", TORCH),
    *("sentence-transformers onnx", "sentence-transformers onnx qint8", "sentence-transformers openvino"),
    *("fastembed", "fastretrieval", "candding"),
]


def main() -> None:
    """Measure and print."""
    made = parser(__doc__)
    made.add_argument("--dense", type=Path, required=True, help="the exported dense model that finds the candidates")
    made.add_argument("--data", type=Path, required=True, help="a folder in BEIR's layout")
    made.add_argument("--split", default="split-test", help="the queries are taken from qrels/SPLIT.tsv")
    made.add_argument("--queries", type=int, default=300, help="the number of queries, drawn with a fixed seed")
    made.add_argument("--candidates", type=int, default=20)
    made.add_argument("--peer", action="append", choices=PEERS, help="default: all; repeatable")
    options = made.parse_args()
    common = setup(options, "rerank")
    data = drawn(read_beir(options.data, options.split, titles=False), options.queries)
    before = dense(options.dense, data, options.candidates)
    print(f"{len(data.queries)} queries, {options.candidates} candidates each")
    print(f"nDCG@10 before reranking {ndcg(before, grades(data)):.4f}\n")
    _compare(common, options.peer or PEERS, data, before)


def _compare(common: Setup, peers: list[str], data: RetrievalData, before: list[Ranking]) -> None:
    found = {}
    for peer in common.available(peers):
        with ExitStack() as stack:
            for worker in opened(stack, [(peer, common, peer)]):
                found[peer] = _reranked(worker, data, before)
    exact, judged = found.get(TORCH), grades(data)
    rows = []
    for peer, ranks in found.items():
        after = [[of[int(i)] for i in ids] for of, ids in zip(before, ranks[..., 0], strict=True)]
        row = [peer, f"{ndcg(after, judged):.4f}"]
        if exact is not None:
            change = ranking_difference(ranks, exact)
            row += [str(change.reordered), f"{change.gap:.1e}", f"{change.score:.1e}"]
        rows.append(row)
    beside = ["reordered queries", "largest score gap swapped", "max score difference"]
    print(table(["reranked by", "nDCG@10", *(beside if exact is not None else [])], rows))


def _reranked(worker: Worker, data: RetrievalData, before: list[Ranking]) -> NDArray[Any]:
    queries, documents = texts(data)
    searches = [(query, [documents[i] for i in of]) for query, of in zip(queries, before, strict=True)]
    worker.give("candidates", searches)
    return worker.result("candidates")


if __name__ == "__main__":
    main()
