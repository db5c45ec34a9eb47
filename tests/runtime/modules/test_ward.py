"""Ward's clusters of small sets that can be followed by hand."""

import numpy as np
import pytest

from edge_st_runtime.errors import InputError
from edge_st_runtime.modules.ward import ward_clusters

#: places on a line: two pairs, and one that is far from all
PLACES = np.array([0.0, 1.0, 10.0, 11.5, 100.0])
DISTANCES = np.abs(PLACES[:, None] - PLACES)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (5, [0, 1, 2, 3, 4]),
        (4, [0, 0, 1, 2, 3]),
        (3, [0, 0, 1, 1, 2]),
        (2, [0, 0, 0, 0, 1]),
        (1, [0, 0, 0, 0, 0]),
    ],
)
def test_clusters(count: int, expected: list[int]) -> None:
    assert ward_clusters(DISTANCES, count).tolist() == expected


def test_more_clusters_than_items() -> None:
    assert ward_clusters(DISTANCES, 9).tolist() == [0, 1, 2, 3, 4]


def test_only_the_upper_triangle_is_read() -> None:
    assert ward_clusters(np.triu(DISTANCES) - np.tril(DISTANCES), 2).tolist() == [0, 0, 0, 0, 1]


def test_equal_items_are_one_cluster() -> None:
    assert ward_clusters(np.zeros((4, 4), dtype="f4"), 3).tolist() == [0, 0, 0, 0]


def test_distances_stay_as_they_are() -> None:
    given = DISTANCES.copy()
    ward_clusters(given, 2)
    assert np.array_equal(given, DISTANCES)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_distance_that_is_not_finite(value: float) -> None:
    with pytest.raises(InputError, match="NaN or infinite; expected finite token vectors"):
        ward_clusters(np.full((3, 3), value), 1)
