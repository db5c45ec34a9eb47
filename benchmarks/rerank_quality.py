"""Whether edge-st's CrossEncoder puts real candidates into the order that sentence-transformers on torch does.

Run ``python benchmarks/rerank_quality.py EXPORTED --original ORIGINAL --dense DENSE --data BEIR_FOLDER``. The
candidates of each query are the best that edge-st's SentenceTransformer finds with the exported folder DENSE; each peer
reranks the same ones in a process of its own. Printed: nDCG@10 before and after, how many queries a peer orders
otherwise than torch, the largest gap of torch's scores that it turned round, and the largest difference of a score.
"""

from pathlib import Path
from typing import Any

from harness import Setup, Worker, parser, setup, table
from measures import Ranking, agreement, ndcg
from numpy.typing import NDArray
from rankings import dense, drawn, grades, texts

from edge_st.evaluation.datasets import RetrievalData, read_beir

TORCH = "sentence-transformers torch"
PEERS = ["edge-st onnx", "edge-st openvino", "edge-st onnx int8", "edge-st openvino int8", TORCH]


def main() -> None:
    """Measure and print."""
    made = parser(__doc__)
    made.add_argument("--dense", type=Path, required=True, help="an exported folder that finds the candidates")
    made.add_argument("--data", type=Path, required=True, help="a folder in BEIR's layout")
    made.add_argument("--split", default="split-test", help="the queries come from qrels/SPLIT.tsv")
    made.add_argument("--queries", type=int, default=300, help="how many, drawn by a fixed seed")
    made.add_argument("--candidates", type=int, default=20)
    options = made.parse_args()
    common = setup(options, "rerank")
    data = drawn(read_beir(options.data, options.split, titles=False), options.queries)
    before = dense(options.dense, data, options.candidates)
    print(f"{len(data.queries)} queries, {options.candidates} candidates each")
    print(f"nDCG@10 before reranking {ndcg(before, grades(data)):.4f}\n")
    _compare(common, data, before)


def _compare(common: Setup, data: RetrievalData, before: list[Ranking]) -> None:
    found = {peer: _reranked(Worker(common, peer), data, before) for peer in common.available(PEERS)}
    exact, judged = found.get(TORCH), grades(data)
    rows = []
    for peer, ranks in found.items():
        after = [[of[int(i)] for i in ids] for of, ids in zip(before, ranks[..., 0], strict=True)]
        row = [peer, f"{ndcg(after, judged):.4f}"]
        if exact is not None:
            alike = agreement(ranks, exact)
            row += [str(alike.reordered), f"{alike.gap:.1e}", f"{alike.difference:.1e}"]
        rows.append(row)
    beside = ["other orders than torch", "largest gap turned round", "max score difference"]
    print(table(["reranked by", "nDCG@10", *(beside if exact is not None else [])], rows))


def _reranked(worker: Worker, data: RetrievalData, before: list[Ranking]) -> NDArray[Any]:
    queries, documents = texts(data)
    searches = [(query, [documents[i] for i in of]) for query, of in zip(queries, before, strict=True)]
    with worker:
        worker.open()
        worker.give("candidates", searches)
        return worker.result("candidates")


if __name__ == "__main__":
    main()
