"""Communities: what comparing every embedding with every other gives, however it is cut into batches."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st.util import community_detection, cos_sim
from edge_st_runtime.errors import InputError, OptionError

generator = np.random.default_rng(5)
CENTRES = generator.standard_normal((6, 8))
NEAR = (CENTRES[generator.integers(0, 6, 120)] + generator.standard_normal((120, 8)) * 0.6).astype(np.float32)


def naive(vectors: NDArray[Any], threshold: float, least: int) -> list[list[int]]:
    """The nearest of each row, the longest list first; each takes what earlier ones left, unless they took its row."""
    scores = cos_sim(vectors, vectors)
    lists = [np.flatnonzero(row >= threshold)[np.argsort(-row[row >= threshold])].tolist() for row in scores]
    found: list[list[int]] = []
    for row, members in sorted(enumerate(lists), key=lambda item: len(item[1]), reverse=True):
        left = [member for member in members if not any(member in other for other in found)]
        found += [left] if row in left and len(left) >= least else []
    return sorted(found, key=len, reverse=True)


@pytest.mark.parametrize("batch", [1, 7, 1024])
@pytest.mark.parametrize(("threshold", "least"), [(0.75, 2), (0.5, 5), (0.9, 1), (-1.1, 10), (0.3, 30)])
def test_as_if_every_pair_were_compared(threshold: float, least: int, batch: int) -> None:
    expected = naive(NEAR, threshold, least)
    assert expected
    assert community_detection(NEAR, threshold, least, batch) == expected


def test_the_centre_comes_first_then_the_nearest() -> None:
    vectors = np.array([[0.9, 0.1], [1, 0], [0.8, 0.3], [0, 1], [0.1, 1]], dtype=np.float32)
    assert community_detection(vectors, threshold=0.9, min_community_size=2) == [[0, 1, 2], [3, 4]]
    equal = np.eye(2, dtype=np.float32)[[0, 1, 0, 1, 0]]
    assert community_detection(equal, min_community_size=2) == [[0, 2, 4], [1, 3]]


def test_fewer_embeddings_than_a_community_has_are_none() -> None:
    assert community_detection(np.ones((3, 2)), min_community_size=10) == []
    assert community_detection(np.ones((3, 2)), min_community_size=3) == [[0, 1, 2]]


@pytest.mark.parametrize("batch", [1, 1024])
def test_no_community_is_formed_around_a_centre_that_another_took(batch: int) -> None:
    """Row 5 is near to rows 6 and 7, which are near to nothing else; it belongs to row 0."""
    vectors = np.array([[1, 0, 0], *[[1, -0.3, 0]] * 4, [1, 1, 0], [0, 1, 0], [0.6, 0.6, 0.53]], dtype=np.float32)
    assert community_detection(vectors, 0.7, 2, batch) == [[0, 1, 2, 3, 4, 5]]


def test_what_may_be_an_embedding() -> None:
    assert community_detection([], 0.5) == community_detection(np.empty((0, 4)), 0.5) == []
    assert community_detection([[1, 0], [2, 0], [0, 1]], 0.5, 1) == [[0, 1], [2]]
    assert community_detection(list(NEAR.astype(np.float16)), 0.5, 5) == naive(NEAR.astype(np.float16), 0.5, 5)


def test_progress_is_shown_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    community_detection(NEAR)
    assert capsys.readouterr().err == ""
    community_detection(NEAR, show_progress_bar=True)
    assert "Finding clusters" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_community_size": 0}, "min_community_size must be a positive integer, got 0"),
        ({"batch_size": -1}, "batch_size must be a positive integer, got -1"),
        ({"threshold": float("nan")}, "threshold is nan; expected a cosine"),
        ({"threshold": "high"}, "threshold is 'high'; expected a cosine"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        community_detection(NEAR, **options)


def test_embeddings_that_are_refused() -> None:
    with pytest.raises(InputError, match=r"embeddings\[1\] holds NaN or an infinity"):
        community_detection([[1.0, 0.0], [0.0, float("inf")]])
    with pytest.raises(InputError, match=r"shape \(1, 120, 8\); expected \(n, dim\)"):
        community_detection(NEAR[None])
