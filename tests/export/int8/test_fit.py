"""Scales: what large channels cost without a remedy, and with one."""

import numpy as np
import pytest

from edge_st_export.int8.fit import Fit, fit_group
from edge_st_export.int8.matmuls import Group, MatMul
from edge_st_runtime.arrays import Floats
from tests.export.int8.int8_graphs import WIDTH, relative_error, seen, values

LARGE = 7


def matmul(rows: int, columns: int, bias: bool = True, name: str = "w", seed: int = 1) -> MatMul:
    weight = values(rows, columns, seed=seed)
    return MatMul("x", weight, name, values(columns, seed=2) if bias else None, f"{name}_y", ())


def inputs(width: int, large: float = 1.0) -> Floats:
    """Rows of which one channel is ``large`` times the others."""
    rows = values(1500, width, seed=3)
    rows[:, LARGE] *= large
    return rows


def computed(fit: Fit, rows: Floats, place: int = 0) -> Floats:
    """The arithmetic of the integer matmul."""
    weight = fit.weights[place]
    scaled = rows if fit.factors is None else rows * fit.factors
    codes = np.clip(np.rint(scaled / np.float32(fit.scale)) + fit.zero_point, 0, 255) - fit.zero_point
    outliers = rows[:, fit.outliers] @ fit.group.matmuls[place].weight[fit.outliers]
    found = (codes @ weight.values.astype(np.float64)) * weight.scales * fit.scale
    return np.asarray(found + weight.bias + outliers, dtype=np.float32)


def exact(fit: Fit, rows: Floats, place: int = 0) -> Floats:
    of = fit.group.matmuls[place]
    return rows @ of.weight + (0 if of.bias is None else of.bias)


def plain_error(rows: Floats, weight: Floats) -> float:
    """With one scale for the whole input, and nothing else done."""
    low, high = min(0.0, rows.min()), max(0.0, rows.max())
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    scales = np.abs(weight).max(axis=0) / 127
    codes = np.clip(np.rint(rows / scale) + zero, 0, 255) - zero
    return relative_error((codes @ np.rint(weight / scales)) * scales * scale, rows @ weight)


def test_even_channels_need_no_remedy() -> None:
    fit = fit_group(Group((matmul(WIDTH, WIDTH),)), {"x": seen(inputs(WIDTH))})
    assert fit.factors is None
    assert not len(fit.outliers)
    assert fit.error < 1e-3


def test_a_large_channel_is_divided_down_where_a_product_does_not_narrow() -> None:
    rows, of = inputs(WIDTH, large=60), matmul(WIDTH, 128)
    of.weight[LARGE] /= 60  # it counts no more than the others, and drowns them
    fit = fit_group(Group((of,)), {"x": seen(rows)})
    assert fit.factors is not None
    assert fit.factors.argmin() == LARGE
    assert not len(fit.outliers)
    assert fit.error < plain_error(rows, of.weight) / 20
    assert relative_error(computed(fit, rows), exact(fit, rows)) < 1e-3


def test_a_large_channel_stays_float32_where_a_product_narrows() -> None:
    rows, of = inputs(192, large=60), matmul(192, WIDTH)
    of.weight[LARGE] /= 60
    fit = fit_group(Group((of,)), {"x": seen(rows)})
    assert LARGE in fit.outliers
    assert fit.factors is None
    assert (fit.weights[0].values[fit.outliers] == 0).all()
    assert fit.error < plain_error(rows, of.weight) / 20
    assert relative_error(computed(fit, rows), exact(fit, rows)) < 1e-3


def test_a_range_is_cut_where_few_values_reach_its_end() -> None:
    rows = inputs(WIDTH)
    rows[0, :] *= 30
    fit = fit_group(Group((matmul(WIDTH, WIDTH),)), {"x": seen(rows)})
    reached = fit.scale * 255
    assert reached < 0.9 * (rows.max() - rows.min())


@pytest.mark.parametrize("bias", [True, False])
def test_the_bias_takes_the_mean_error_out(bias: bool) -> None:
    rows, of = np.abs(inputs(WIDTH)), matmul(WIDTH, WIDTH, bias)
    fit = fit_group(Group((of,)), {"x": seen(rows)})
    error = computed(fit, rows) - exact(fit, rows)
    assert np.abs(error.mean(axis=0)).max() < 1e-4
    assert error.std() > 1e-3


def test_products_of_a_group_share_scales_of_the_input_but_not_of_weights() -> None:
    rows = inputs(WIDTH, large=60)
    small, large = matmul(WIDTH, WIDTH, name="a"), matmul(WIDTH, WIDTH, name="b", seed=4)
    large.weight[:] *= 1000
    fit = fit_group(Group((small, large)), {"x": seen(rows)})
    assert len(fit.weights) == 2
    assert (fit.weights[1].scales > 100 * fit.weights[0].scales).all()
    for place in range(2):
        assert relative_error(computed(fit, rows, place), exact(fit, rows, place)) < 0.01


def test_inputs_of_zeros() -> None:
    fit = fit_group(Group((matmul(WIDTH, WIDTH),)), {"x": seen(np.zeros((10, WIDTH), dtype=np.float32))})
    assert np.isfinite(fit.scale)
    assert fit.scale > 0
    zeros = np.zeros((1, WIDTH), dtype=np.float32)
    np.testing.assert_allclose(computed(fit, zeros), exact(fit, zeros), atol=1e-6)


def test_a_channel_that_calibration_never_saw_stays_bounded() -> None:
    rows = inputs(WIDTH, large=60)
    rows[:, 3] = 0
    fit = fit_group(Group((matmul(WIDTH, 128),)), {"x": seen(rows)})
    rows[:, 3] = 1
    assert np.abs(computed(fit, rows) - exact(fit, rows)).max() < 60 * np.abs(fit.group.matmuls[0].weight).max()


def test_a_fit_holds_for_texts_unlike_those_of_calibration() -> None:
    rows, unlike, group = inputs(WIDTH), inputs(WIDTH), Group((matmul(WIDTH, WIDTH),))
    rows[:, ::2] /= 30  # these channels are small in calibration
    unlike[:, 1::2] /= 30  # and the others in another text
    alone = fit_group(group, {"x": seen(rows)})
    both = fit_group(group, {"x": seen(rows)}, {"x": seen(unlike)})
    assert relative_error(computed(both, unlike), exact(both, unlike)) < 0.01
    assert relative_error(computed(both, rows), exact(both, rows)) < 0.01
    assert relative_error(computed(alone, unlike), exact(alone, unlike)) > 0.03
