"""Postings: for each centroid the passages that have a token near it, and what they say of MaxSim."""

from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError
from edge_st_runtime.search.late.postings import POSTING_COLUMNS, Postings


def by_hand(nearest: Any, ends: Any, count: int) -> list[list[int]]:
    owners = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    return [sorted(set(owners[nearest == centroid].tolist())) for centroid in range(count)]


def listed(postings: Postings) -> list[list[int]]:
    return [found.tolist() for found in np.split(postings.rows, postings.ends[:-1])]


@pytest.mark.parametrize("tokens", [1, 7, 65_536])
def test_the_passages_of_each_centroid(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read so many tokens at a time."""
    monkeypatch.setattr("edge_st_runtime.search.late.postings._TOKENS", tokens)
    generator = np.random.default_rng(3)
    for lengths in ([3, 1, 4, 1, 5, 9, 2, 6], [0, 2, 0, 0, 3, 0], [30], [0], []):
        ends = np.cumsum(np.array(lengths, dtype=np.int64))
        nearest = generator.integers(0, 5, int(ends[-1]) if lengths else 0).astype(np.uint16)
        postings = Postings.of(nearest, ends, 6)
        assert listed(postings) == by_hand(nearest, ends, 6)
        columns = postings.columns()
        assert {name: column.dtype for name, column in columns.items()} == POSTING_COLUMNS
        assert listed(Postings.opened(columns, 6)) == listed(postings)


def test_an_estimate_is_maxsim_of_the_probed_centroids() -> None:
    generator = np.random.default_rng(4)
    ends = np.cumsum(generator.integers(1, 6, 30))
    nearest = generator.integers(0, 12, int(ends[-1])).astype(np.uint16)
    near = generator.standard_normal((4, 12)).astype(np.float32)
    found = Postings.of(nearest, ends, 12).scores(near, 3, 30)
    for passage, own in enumerate(np.split(nearest, ends[:-1])):
        expected = 0.0
        for token in near:
            best = np.argsort(-token)
            probed = [token[centroid] for centroid in best[:3] if centroid in own]
            expected += max(probed, default=token[best[3]])
        assert found[passage] == pytest.approx(expected, rel=1e-5)


def test_one_centroid_tells_nothing() -> None:
    postings = Postings.of(np.zeros(4, dtype=np.uint16), np.array([1, 4]), 1)
    assert postings.scores(np.array([[0.5]], dtype=np.float32), 8, 2).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("ends", [[2, 4], [2, 1, 4], [1, 2, 5], [-1, 2, 4]])
def test_postings_that_do_not_fit(ends: list[int]) -> None:
    columns = {"posting_rows": np.zeros(4, dtype=np.int32), "posting_ends": np.array(ends, dtype=np.int64)}
    with pytest.raises(DamagedFileError, match=f"postings for {len(ends)} centroids; expected 3, in order"):
        Postings.opened(columns, 3)
