"""Search of many passages by MaxSim: edge-st's index beside fast-plaid and exact MaxSim in NumPy."""

import argparse
import json
import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from harness import Setup, opened, setup, singles_in_turn, start
from late_vectors import late_vectors
from numpy.typing import NDArray
from tables import comparison, table
from workers.late_searchers import place

from edge_st import SentenceTransformer
from edge_st.evaluation.datasets import read_beir

EXACT, PLAID = "numpy exact", ["fast-plaid 8", "fast-plaid 32"]
#: queries a round
ALONE = 10


def measure_search(options: argparse.Namespace) -> None:
    """Print how large each index is, how long it took to build, and how fast and how well it finds."""
    home = options.work.resolve() / f"passages-{options.passages}"
    options.folder = options.original = home
    _make_vectors(options, home)
    common = setup(options, "late-search")
    own = [f"edge-st {each}" for each in options.precisions]
    asked = [f"{peer} {count}" for peer in own for count in options.candidates or []]
    peers = common.available([*own, *asked, *PLAID, EXACT])
    built = {peer: _built(common, peer, home) for peer in peers}
    _compare(common, [peer for peer in peers if built[peer] is not None], built, options)


def _make_vectors(options: argparse.Namespace, home: Path) -> None:
    if (home / "queries.npy").is_file():
        return
    home.mkdir(parents=True, exist_ok=True)
    data = read_beir(options.data, options.split)
    texts, questions = list(data.corpus.values())[: options.texts], list(data.queries.values())
    made = late_vectors(SentenceTransformer(str(options.minilm)), texts, questions)
    queries = np.stack(made.queries(options.queries))
    shape = (options.passages, made.tokens, queries.shape[2])
    corpus = np.lib.format.open_memmap(home / "corpus.npy", "w+", np.float32, shape)
    place = 0
    for portion in made.passages(options.passages):
        corpus[place : place + len(portion)] = portion
        place += len(portion)
    corpus.flush()
    np.save(home / "queries.npy", queries)


def _built(common: Setup, peer: str, home: Path) -> dict[str, Any] | None:
    """What building the index of ``peer`` took, made now if it is missing; None where that fails; {} without one."""
    if peer == EXACT:
        return {}
    report = place(peer, home).with_suffix(".built.json")
    if not report.is_file():
        process = start(common, peer, "late_searchers.py", peer, str(home))
        process.communicate()
        if process.returncode:
            print(f"left out: {peer} (its index was not built; BENCH_VERBOSE=1 shows why)")
            return None
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def _compare(
    common: Setup, peers: list[str], built: dict[str, dict[str, Any] | None], options: argparse.Namespace
) -> None:
    with ExitStack() as running:
        workers = opened(running, [(peer, common, peer) for peer in peers])
        loaded = {worker.peer: worker.ask("memory")["VmRSS"] for worker in workers}
        for worker in workers:
            worker.give("queries", list(range(options.queries)))
        found = {worker.peer: worker.result("queries") for worker in workers}
        peaks = {worker.peer: worker.ask("memory")["VmHWM"] for worker in workers}
        times = singles_in_turn(workers, "queries", options.rounds, min(ALONE, options.queries))
    title = f"{options.passages} passages, one query, ms"
    header, *rows = comparison(title, times, min, EXACT, *PLAID)
    for row, peer in zip(rows, times, strict=True):
        made = built[peer] or {}
        row += [
            f"{_recall(found[peer], found[EXACT]):.3f}",
            f"{made['bytes'] / options.passages:.0f}" if made else "–",
            f"{made['seconds']:.0f}" if made else "–",
            f"{made['peak']:.0f}" if made else "–",
            f"{loaded[peer]:.0f}",
            f"{peaks[peer]:.0f}",
        ]
    names = ["recall@10", "bytes a passage", "build s", "build peak MB", "loaded MB", "peak MB"]
    print("\n" + table([*header, *names], rows))


def _recall(found: NDArray[np.int64], exact: NDArray[np.int64]) -> float:
    pairs = zip(found.tolist(), exact.tolist(), strict=True)
    return statistics.mean(len(set(mine) & set(best)) / len(best) for mine, best in pairs)
