"""The bundled static model on one core: texts a second, and Spearman's rank correlation on an STS file.

The file has a score, a tab, a text, a tab, a text on each line; without one the texts are Python's documentation.
"""

import argparse
import os
import statistics
from pathlib import Path

import numpy as np
from harness import Setup, Worker
from numpy.typing import NDArray
from texts import sentences, short

PEER = "edge-st static"


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("sts", type=Path, nargs="?", help="score TAB text TAB text")
    made.add_argument("--rounds", type=int, default=5)
    options = made.parse_args()
    os.environ["RAYON_NUM_THREADS"] = "1"
    one_core = Setup({}, Path(), Path(), "", (min(os.sched_getaffinity(0)),))
    texts = short(sentences(options.sts), 20_000)
    with Worker(one_core, PEER) as worker:
        worker.open()
        worker.give("short", texts)
        rates = [len(texts) / worker.ask("encode", name="short")["seconds"] for _ in range(options.rounds)]
        words = statistics.mean(len(text.split()) for text in texts)
        print(
            f"{max(rates):,.0f} texts/s best, {statistics.median(rates):,.0f} median; {words:.0f} words each, one core"
        )
        if options.sts is not None:
            print(f"Spearman {_spearman(worker, options.sts):.4f} on {options.sts.name}")


def _spearman(worker: Worker, file: Path) -> float:
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").split("\n") if line]
    first, second = (_vectors(worker, [row[column] for row in rows]) for column in (1, 2))
    cosines = np.sum(first * second, axis=1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    return float(np.corrcoef(_ranks(np.array([float(row[0]) for row in rows])), _ranks(cosines))[0, 1])


def _vectors(worker: Worker, texts: list[str]) -> NDArray[np.float32]:
    worker.give("sts", texts)
    return worker.result("sts")


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks (n,); equal values share their average rank."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(sizes) - (sizes - 1) / 2)[group]


if __name__ == "__main__":
    main()
