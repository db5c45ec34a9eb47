"""The bundled static model on one core: texts a second, and Spearman's rank correlation on an STS file.

The file has a score, a tab, a text, a tab, a text on each line.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from texts import sentences, short

from edge_st import SentenceTransformer


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("sts", type=Path, nargs="?", help="score TAB text TAB text")
    made.add_argument("--model", help="a static model's folder (default: the bundled one)")
    made.add_argument("--rounds", type=int, default=5)
    options = made.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["RAYON_NUM_THREADS"] = "1"
    model = SentenceTransformer(options.model)
    texts = short(sentences(options.sts), 20_000)
    rates = [_rate(model, texts) for _ in range(options.rounds)]
    words = sum(len(text.split()) for text in texts) / len(texts)
    print(f"{max(rates):,.0f} texts/s best, {np.median(rates):,.0f} median ({words:.0f} words a text, one core)")
    if options.sts is not None:
        print(f"Spearman {_spearman(model, options.sts):.4f} on {options.sts.name}")


def _rate(model: SentenceTransformer, texts: list[str]) -> float:
    start = time.perf_counter()
    model.encode(texts)
    return len(texts) / (time.perf_counter() - start)


def _spearman(model: SentenceTransformer, file: Path) -> float:
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").split("\n") if line]
    scores = np.array([float(row[0]) for row in rows])
    similarities = model.similarity_pairwise(model.encode([r[1] for r in rows]), model.encode([r[2] for r in rows]))
    return float(np.corrcoef(_ranks(scores), _ranks(similarities))[0, 1])


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks (n,); equal values share their average rank."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(sizes) - (sizes - 1) / 2)[group]


if __name__ == "__main__":
    main()
