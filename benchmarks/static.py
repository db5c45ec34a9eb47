"""The bundled static model on one core: texts per second, and Spearman's rank correlation on an STS file.

The file has a score, a tab, a text, a tab and a text on each line. Without one the texts are Python's documentation.
"""

import argparse
import os
import statistics
from pathlib import Path

import numpy as np
from harness import Setup, Worker
from numpy.typing import NDArray
from texts import sentences, short

from edge_st.evaluation.datasets import SimilarityData, read_dataset
from edge_st.evaluation.statistics import spearman
from edge_st.util import pairwise_cos_sim

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
    data = read_dataset(file)
    if not isinstance(data, SimilarityData):
        raise SystemExit(f"{file} is no STS file; expected score TAB text TAB text, with scores from 0 to 5")
    first, second = _vectors(worker, data.sentences1), _vectors(worker, data.sentences2)
    return spearman(data.scores, pairwise_cos_sim(first, second))


def _vectors(worker: Worker, texts: list[str]) -> NDArray[np.float32]:
    worker.give("sts", texts)
    return worker.result("sts")


if __name__ == "__main__":
    main()
