"""Search of a million vectors: edge-st beside faiss and usearch, in float32, float16, int8 and bits.

Run ``python benchmarks/search.py MODEL --data scifact/qrels/train.tsv squad-dev/qrels/test.tsv --work FOLDER``. faiss
and usearch run in the environment "search" that environments.py makes. The documents of the data sets are encoded with
the exported model, and repeated with noise until there are ``--rows``; the queries are those of the data sets. Every
peer runs in a process of its own on the same cores; the peers are measured in turn. Printed are the milliseconds for
one query and for 64 at once, with ratios to faiss and to edge-st's float32; recall@10 against exact search; and
resident megabytes with the corpus open and at the peak, mapped files included.
"""

import argparse
import statistics
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from disturbance import disturbance
from harness import Worker, common_parser, in_turn, setup, singles_in_turn
from numpy.typing import NDArray
from tables import comparison, table

from edge_st import Index, SentenceTransformer
from edge_st.evaluation.datasets import read_beir

INDEXES = {"float32": None, "float16": None, "int8": None, "binary": "float16"}
EDGE = ["edge-st semantic_search", *(f"edge-st {precision}" for precision in INDEXES)]
PEERS = [*EDGE, "faiss flat", "faiss sq8", "faiss binary", "usearch f32", "usearch i8"]
EXACT, QUERIES, TOGETHER, ALONE = "faiss flat", 320, 64, 20


def main() -> None:
    """Measure and print."""
    made = common_parser(__doc__)
    made.add_argument("folder", type=Path, help="an exported SentenceTransformer")
    made.add_argument("--data", type=Path, nargs="+", required=True, help="qrels files of folders in BEIR's layout")
    made.add_argument(
        "--work", type=Path, required=True, help="the folder that vectors and indexes are made and kept in: 10 GB"
    )
    made.add_argument("--rows", type=int, default=1_000_000)
    made.add_argument("--noise", type=float, default=0.4, help="the length of the noise; vectors have length 1")
    made.add_argument("--rounds", type=int, default=5)
    options = made.parse_args()
    options.original = options.folder
    common = setup(options, "search")
    prepare(options)
    common = replace(common, folder=options.work.resolve())
    with disturbance(), ExitStack() as running:
        workers = [running.enter_context(Worker(common, peer)) for peer in common.available(PEERS)]
        _compare(workers, options.rounds)


def prepare(options: argparse.Namespace) -> None:
    """Make the corpus, the queries and the indexes that are missing."""
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "corpus.npy").exists():
        model = SentenceTransformer(str(options.folder))
        sets = [read_beir(path.parent.parent, path.stem) for path in options.data]
        queries = [text for found in sets for text in list(found.queries.values())[: QUERIES // len(sets)]]
        np.save(work / "queries.npy", model.encode_query(queries, normalize_embeddings=True))
        documents = [text for found in sets for text in found.corpus.values()]
        _repeat(model.encode_document(documents, normalize_embeddings=True), work / "corpus.npy", options)
    corpus = np.load(work / "corpus.npy", mmap_mode="r")
    for precision, rescore in INDEXES.items():
        if not (work / precision).exists():
            with Index.build(
                None, None, work / precision, embeddings=corpus, precision=precision, rescore=rescore
            ) as index:
                index.compact()


def _repeat(vectors: NDArray[np.float32], path: Path, options: argparse.Namespace) -> None:
    """Write the vectors, and copies of them with noise, at unit length."""
    generator = np.random.default_rng(0)
    dim = vectors.shape[1]
    corpus = np.lib.format.open_memmap(path, "w+", np.float32, (options.rows, dim))
    for start in range(0, options.rows, len(vectors)):
        some = vectors[: options.rows - start]
        if start:
            some = some + options.noise / dim**0.5 * generator.standard_normal(some.shape, dtype=np.float32)
        corpus[start : start + len(some)] = some / np.linalg.norm(some, axis=1, keepdims=True)
    corpus.flush()


def _compare(workers: list[Worker], rounds: int) -> None:
    loaded = []
    for worker in workers:
        worker.open()
        worker.give("one", list(range(QUERIES)))
        worker.give("many", list(range(TOGETHER)))
        worker.give("all", list(range(QUERIES)))
        loaded.append(worker.ask("memory")["VmRSS"])
    found = {worker.peer: worker.result("all") for worker in workers}
    peaks = [worker.ask("memory")["VmHWM"] for worker in workers]
    one = singles_in_turn(workers, "one", rounds, ALONE)
    many = {peer: [1e3 * each for each in times] for peer, times in in_turn(workers, "many", rounds).items()}
    for title, times in (("one query, ms", one), (f"{TOGETHER} queries, ms", many)):
        print("\n" + table(*_table(title, times)))
    exact = found.get(EXACT, found[EDGE[0]])
    rows = [
        [worker.peer, f"{_recall(found[worker.peer], exact):.4f}", f"{before:.0f}", f"{peak:.0f}"]
        for worker, before, peak in zip(workers, loaded, peaks, strict=True)
    ]
    print("\n" + table(["", "recall@10", "loaded MB", "peak MB"], rows))


def _table(title: str, times: dict[str, list[float]]) -> tuple[list[str], list[list[str]]]:
    header, *rows = comparison(title, times, min, EXACT, "faiss sq8", EDGE[1])
    return header, rows


def _recall(found: NDArray[np.int64], exact: NDArray[np.int64]) -> float:
    pairs = zip(found.tolist(), exact.tolist(), strict=True)
    return statistics.mean(len(set(mine) & set(best)) / len(best) for mine, best in pairs)


if __name__ == "__main__":
    main()
