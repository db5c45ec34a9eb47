"""The threshold score at or above which a pair is said to belong together."""

from dataclasses import dataclass

import numpy as np

from edge_st_runtime.arrays import Floats


@dataclass(frozen=True)
class Threshold:
    """A score, the share of known pairs at or above it, and the share of random pairs below it."""

    score: float
    known_above: float
    random_below: float

    @property
    def accuracy(self) -> float:
        """Balanced accuracy: the mean of both shares. Chance gives 0.5, however many pairs of each kind there are."""
        return (self.known_above + self.random_below) / 2

    def __str__(self) -> str:
        """The score in four digits."""
        return f"{self.score:.4g}".replace("-", "\N{MINUS SIGN}")


def best_threshold(known: Floats, random: Floats) -> Threshold:
    """The threshold of highest balanced accuracy, halfway between two neighbouring scores.

    ``known`` (n,) and ``random`` (m,) are scores; neither may be empty.
    """
    scores = np.unique(np.concatenate((known, random)).astype(np.float64))
    above = 1 - np.searchsorted(np.sort(known), scores) / known.size
    below = np.searchsorted(np.sort(random), scores) / random.size
    best = int(np.argmax(above + below))
    return Threshold(float(scores[max(best - 1, 0) : best + 1].mean()), float(above[best]), float(below[best]))
