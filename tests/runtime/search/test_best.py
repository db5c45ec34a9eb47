"""The best rows, block by block, against a sort of all scores."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.search.best import NO_ROW, Best

ODD = np.array([np.nan, -np.inf, np.inf, 0.0, -0.0, 1e-45, np.finfo(np.float32).max], dtype=np.float32)
generator = np.random.default_rng(1)


def tied(queries: int, rows: int) -> Any:
    """Scores with many equal ones, and some NaN and infinities."""
    scores = generator.integers(-3, 4, (queries, rows)).astype(np.float32)
    odd = generator.random(scores.shape) < 0.1
    scores[odd] = generator.choice(ODD, odd.sum())
    return scores


def brute_force(scores: Any, k: int, threshold: float | None = None) -> tuple[Any, Any]:
    """The best rows of each query, by Python's sort."""
    best, rows = np.full((len(scores), k), -np.inf, dtype=scores.dtype), np.full((len(scores), k), NO_ROW)
    for query, row in enumerate(scores.tolist()):
        found = [(-score, place) for place, score in enumerate(row) if score > -np.inf]
        if threshold is not None:
            found = [(score, place) for score, place in found if -score >= np.float32(threshold)]
        for rank, (score, place) in enumerate(sorted(found)[:k]):
            best[query, rank], rows[query, rank] = -score, place
    return best, rows


def check(best: Best, scores: Any, k: int, threshold: float | None = None) -> None:
    expected = brute_force(scores, k, threshold)
    for found, right in zip(best.ranked(), expected, strict=True):
        assert found.shape == right.shape
        np.testing.assert_array_equal(found, right)


def cut(rows: int, size: int | None) -> Iterator[slice]:
    """Blocks of ``size``, or of random sizes."""
    start = 0
    while start < rows:
        end = start + (size or int(generator.integers(1, 60)))
        yield slice(start, min(end, rows))
        start = end


@pytest.mark.parametrize("size", [1, 7, 64, 1000, None])
@pytest.mark.parametrize("k", [1, 2, 10, 299, 300, 500])
@pytest.mark.parametrize("make", [tied, lambda queries, rows: generator.standard_normal((queries, rows))])
def test_as_brute_force(make: Any, k: int, size: int | None) -> None:
    scores = make(5, 300).astype(np.float32)
    for threshold in (None, 1.0, -2.0, 50.0, -np.inf):
        best = Best(5, k, threshold)
        for part in cut(300, size):
            best.offer(scores[:, part], part.start)
        check(best, scores, k, threshold)


@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_joined(parts: int) -> None:
    """As several threads divide the blocks: each takes every n-th."""
    scores, blocks = tied(4, 5000), list(cut(5000, 100))
    found = [Best(4, 20) for _ in range(parts)]
    for number, part in enumerate(blocks):
        found[number % parts].offer(scores[:, part], part.start)
    first, *others = reversed(found)
    for other in others:
        first.join(other)
    check(first, scores, 20)


def test_rising_scores_do_not_pile_up() -> None:
    """The worst case: every block is better than those before."""
    scores = np.arange(200_000, dtype=np.float32)[None]
    best = Best(1, 10)
    for part in cut(200_000, 1000):
        best.offer(scores[:, part], part.start)
        assert len(best._rows) < 5000
    assert best.ranked()[1].tolist() == [list(range(199_999, 199_989, -1))]


def test_float64_and_nothing() -> None:
    scores = np.array([[1.0, 1.0 + 1e-12, 1.0 - 1e-12]])
    best = Best(1, 3, dtype=np.float64)
    best.offer(scores, 0)
    check(best, scores, 3)
    assert [found.tolist() for found in Best(2, 1).ranked()] == [[[-np.inf], [-np.inf]], [[-1], [-1]]]
    assert Best(0, 3).ranked()[0].shape == (0, 3)


def test_a_threshold_is_among_the_found() -> None:
    for threshold in (0.3, 0.1, -0.7, 0.0):
        score = np.float32(threshold)
        scores = np.array([[score, np.nextafter(score, np.float32(-2)), np.nextafter(score, np.float32(2))]])
        best = Best(1, 3, threshold)
        best.offer(scores, 0)
        assert best.ranked()[1].tolist() == [[2, 0, -1]]
