"""The bootstrap: the coverage of its intervals, and how often the paired test calls a difference significant."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st.evaluation.significance import RESAMPLES, bootstrap, interval, p_value
from edge_st.evaluation.statistics import average_ranks, spearman


def mean(values: NDArray[Any], _items: NDArray[np.int64]) -> float:
    return float(values.mean())


def means(values: NDArray[Any]) -> NDArray[np.float64]:
    """Bootstrapped means of the values (n,)."""
    return bootstrap(mean, values)


def compared(first: NDArray[Any], second: NDArray[Any]) -> float:
    return p_value(mean, first, second)


def test_the_same_samples_in_every_call() -> None:
    values = np.random.default_rng(0).standard_normal(40)
    first = means(values)
    assert first.shape == (RESAMPLES,)
    np.testing.assert_array_equal(means(values), first)
    np.testing.assert_allclose(means(values + 1), first + 1)


def test_samples_are_drawn_with_replacement_from_all_items() -> None:
    drawn: list[NDArray[np.int64]] = []
    bootstrap(lambda _, items: float(len(drawn.append(items.copy()) or items)), np.zeros(7))
    assert {len(items) for items in drawn} == {7}
    assert set(np.concatenate(drawn)) == set(range(7))
    assert any(len(set(items.tolist())) < 7 for items in drawn)


def test_an_interval_holds_the_middle_95_percent() -> None:
    assert interval(np.arange(1001.0)) == pytest.approx((25, 975))
    assert interval(np.array([np.nan, 2.0, 2.0])) == (2, 2)


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(60):
        low, high = interval(means(generator.normal(3, 2, 60)))
        covered += low <= 3 <= high
    assert 52 <= covered < 60


def test_equal_variants_do_not_differ() -> None:
    values = np.random.default_rng(2).standard_normal(50)
    assert compared(values, values) == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_a_clear_difference_is_one_in_both_directions(sign: int) -> None:
    generator = np.random.default_rng(3)
    values = generator.normal(0, 5, 100)
    assert compared(values, values + sign * generator.normal(0.5, 0.5, 100)) < 0.01


def test_pairing_finds_what_the_intervals_by_themselves_do_not() -> None:
    generator = np.random.default_rng(4)
    values = generator.normal(0, 5, 100)
    better = values + generator.normal(0.5, 0.5, 100)
    assert interval(means(better))[0] < interval(means(values))[1]
    assert compared(values, better) < 0.01


@pytest.mark.parametrize("items", [6, 12, 60])
def test_at_most_about_five_percent_of_equal_pairs_are_called_different(items: int) -> None:
    generator = np.random.default_rng(6)
    alarms = sum(compared(generator.normal(0, 1, items), generator.normal(0, 1, items)) < 0.05 for _ in range(200))
    assert alarms <= 18


@pytest.mark.parametrize("count", [1, 4])
def test_so_few_items_show_no_difference(count: int) -> None:
    assert compared(np.zeros(count), np.ones(count)) > 0.05


def test_p_is_that_of_every_way_to_swap_and_never_0() -> None:
    assert compared(np.zeros(8), np.ones(8)) == pytest.approx(2 / 2**8, abs=0.006)
    assert compared(np.zeros(40), np.ones(40)) == 1 / (1 + RESAMPLES)


def test_ranks_of_two_scales_are_compared() -> None:
    generator = np.random.default_rng(5)
    wanted = generator.permutation(80).astype(float)
    noisy = wanted + generator.normal(0, 30, 80)

    def correlation(values: NDArray[Any], items: NDArray[np.int64]) -> float:
        return spearman(wanted[items], values)

    assert p_value(correlation, average_ranks(noisy), average_ranks(1000 * noisy)) == 1
    assert p_value(correlation, average_ranks(noisy), average_ranks(wanted)) < 0.01


def test_unknown_differences_are_not_real_and_nothing_is_warned_of(recwarn: pytest.WarningsRecorder) -> None:
    unknown = np.full(RESAMPLES, np.nan)
    assert compared(np.zeros(9), np.full(9, np.nan)) == 1
    assert np.isnan(interval(unknown)).all()
    assert not recwarn.list
