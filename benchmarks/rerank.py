"""Rerank paragraphs for one query: edge-st's CrossEncoder beside its peers.

Run ``python benchmarks/rerank.py EXPORTED --original ORIGINAL --data SQUAD_FOLDER``; the data is in BEIR's layout. The
query and the paragraphs, the relevant one among them, are drawn with a fixed seed. Every peer runs in a process of its
own environment; the peers are measured in turn on the same cores. Printed are the milliseconds of one call of ``rank``,
documents per second at best, the ratio to sentence-transformers, and how scores and order differ from torch's.
"""

import argparse
import random
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from disturbance import disturbance
from harness import Setup, Worker, add_clock, in_turn, opened, parser, setup
from measures import ranking_difference
from rankings import drawn, grades, texts
from tables import comparison, reference, table

from edge_st.evaluation.datasets import read_beir

PEERS = [
    "edge-st onnx",
    "edge-st openvino",
    "edge-st openvino float32",
    "edge-st onnx int8",
    "edge-st openvino int8",
    "sentence-transformers torch",
    "sentence-transformers onnx",
    "sentence-transformers onnx qint8",
    "sentence-transformers openvino",
    "fastembed",
    "fastretrieval",
    "candding",
]
AGAINST = ("sentence-transformers onnx", "sentence-transformers openvino")


def main() -> None:
    """Measure and print."""
    made = parser(__doc__)
    made.add_argument("--data", type=Path, required=True, help="a folder in BEIR's layout, such as SQuAD")
    made.add_argument("--split", default="test", help="the query is taken from qrels/SPLIT.tsv")
    made.add_argument("--documents", type=int, default=100)
    made.add_argument("--rounds", type=int, default=5)
    add_clock(made)
    made.add_argument("--peer", action="append", choices=PEERS, help="default: all; repeatable")
    options = made.parse_args()
    common, search = setup(options, "rerank"), one_search(options.data, options.split, options.documents)
    with disturbance(), ExitStack() as stack:
        peers = common.available(options.peer or PEERS)
        workers = opened(stack, [(peer, _own_graph(common, peer), peer) for peer in peers])
        for worker in workers:
            worker.give("one", [search])
        _compare(workers, options)


def one_search(folder: Path, split: str, count: int) -> tuple[str, list[str]]:
    """A query and ``count`` documents, with the relevant ones among them."""
    data = drawn(read_beir(folder, split, titles=False), 1)
    (query,), documents = texts(data)
    draw, relevant = random.Random(5), sorted(grades(data)[0])
    others = draw.sample([i for i in range(len(documents)) if i not in relevant], count - len(relevant))
    return query, [documents[i] for i in draw.sample([*relevant, *others], count)]


def _own_graph(common: Setup, peer: str) -> Setup:
    """The setup of a peer. sentence-transformers exports the original itself if it cannot run edge-st's graph."""
    if peer not in AGAINST:
        return common
    try:
        with Worker(common, peer) as worker:
            worker.open()
    except RuntimeError:
        print(f"{peer} cannot run the graph in {common.folder}: it exports {common.original} itself")
        return replace(common, folder=common.original)
    return common


def _compare(workers: list[Worker], options: argparse.Namespace) -> None:
    found = [worker.result("one") for worker in workers]
    exact = found[reference([worker.peer for worker in workers], AGAINST[0])]
    seconds = in_turn(workers, "one", options.rounds, options.cpu)
    milliseconds = {peer: [1e3 * second for second in times] for peer, times in seconds.items()}
    title = f"1 query, {options.documents} documents, {'CPU ' if options.cpu else ''}ms"
    header, *rows = comparison(title, milliseconds, min, *AGAINST)
    for row, one in zip(rows, found, strict=True):
        change = ranking_difference(one, exact)
        row.append(f"{1000 * options.documents / min(milliseconds[row[0]]):.0f}")
        row += [f"{change.score:.1e}", f"differs, by {change.gap:.1e}" if change.reordered else "same"]
    print("\n" + table([*header, "documents/s", "max score difference", "order"], rows))


if __name__ == "__main__":
    main()
