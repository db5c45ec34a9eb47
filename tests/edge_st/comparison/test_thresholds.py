"""The threshold that separates known pairs from random ones."""

import numpy as np
import pytest

from edge_st.comparison.thresholds import best_threshold
from edge_st_runtime.arrays import Floats


def scores(*values: float) -> Floats:
    return np.array(values, dtype=np.float32)


def test_it_lies_halfway_between_pairs_that_can_be_separated() -> None:
    threshold = best_threshold(scores(0.9, 0.5, 0.7), scores(0.25, -1))
    assert threshold.score == 0.375
    assert (threshold.known_above, threshold.random_below, threshold.accuracy) == (1, 1, 1)


def test_a_kind_counts_the_same_however_many_pairs_it_has() -> None:
    few, many = scores(2, 4), scores(*[1] * 50, *[3] * 50)
    assert best_threshold(few, many).accuracy == 0.75
    assert best_threshold(few, np.tile(many, 9)) == best_threshold(few, many)


@pytest.mark.parametrize(("known", "random"), [((1, 1), (1,)), ((-3, 1), (2, 5))])
def test_chance_where_nothing_separates(known: tuple[float, ...], random: tuple[float, ...]) -> None:
    assert best_threshold(scores(*known), scores(*random)).accuracy == 0.5


def test_no_other_threshold_is_better() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        known, random = (generator.integers(0, 12, generator.integers(1, 20)).astype(np.float32) for _ in range(2))
        found = best_threshold(known, random)
        tried = [((known >= t).mean() + (random < t).mean()) / 2 for t in np.arange(-0.5, 13)]
        assert found.accuracy == pytest.approx(max(tried))
        assert found.known_above == pytest.approx((known >= found.score).mean())
        assert found.random_below == pytest.approx((random < found.score).mean())
