"""Activation functions against their formulas in double precision."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st_runtime.errors import UnsupportedModelError
from edge_st_runtime.modules.activations import ACTIVATIONS, find_activation

VALUES = np.array([[-1e4, -120, -3.5, -1, -1e-3, 0, 1e-3, 0.4, 1, 4.25, 120, 1e4]], dtype=np.float32)


def elu(x: float) -> float:
    return x if x > 0 else math.expm1(x)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else 1 - 1 / (1 + math.exp(x))


def softplus(x: float) -> float:
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


FORMULAS: dict[str, Callable[[float], float]] = {
    "Identity": lambda x: x,
    "ReLU": lambda x: max(x, 0.0),
    "ReLU6": lambda x: min(max(x, 0.0), 6.0),
    "LeakyReLU": lambda x: x if x > 0 else 0.01 * x,
    "RReLU": lambda x: x if x > 0 else (1 / 8 + 1 / 3) / 2 * x,
    "ELU": elu,
    "CELU": elu,
    "SELU": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "Sigmoid": sigmoid,
    "SiLU": lambda x: x * sigmoid(x),
    "GELU": lambda x: x * math.erfc(-x / math.sqrt(2)) / 2,
    "Hardsigmoid": lambda x: min(max(x / 6 + 0.5, 0.0), 1.0),
    "Hardswish": lambda x: x * min(max(x / 6 + 0.5, 0.0), 1.0),
    "Tanh": math.tanh,
    "Hardtanh": lambda x: min(max(x, -1.0), 1.0),
    "Tanhshrink": lambda x: x - math.tanh(x),
    "Hardshrink": lambda x: x if abs(x) > 0.5 else 0.0,
    "Softshrink": lambda x: math.copysign(max(abs(x) - 0.5, 0.0), x),
    "Softsign": lambda x: x / (1 + abs(x)),
    "Softplus": softplus,
    "LogSigmoid": lambda x: -softplus(-x),
    "Mish": lambda x: x * math.tanh(softplus(x)),
}
ALONG_AN_AXIS = {"GLU", "Softmax", "Softmin", "LogSoftmax"}


def apply(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    found = find_activation(f"torch.nn.modules.activation.{name}")(values)
    assert found.dtype == np.float32
    assert found.shape == values.shape
    return found


def test_every_activation_is_tested() -> None:
    assert {*FORMULAS, *ALONG_AN_AXIS} == set(ACTIVATIONS)


def test_different_functions_have_different_names_in_fingerprints() -> None:
    functions = set(ACTIVATIONS.values())
    assert len({function.__name__ for function in functions}) == len(functions) == len(ACTIVATIONS) - 1  # CELU is ELU


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name: str) -> None:
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        found = apply(name, VALUES)
    np.testing.assert_allclose(found, [[FORMULAS[name](float(x)) for x in VALUES[0]]], rtol=1e-6, atol=1e-7)


def test_softmax_is_over_the_last_axis_and_does_not_overflow() -> None:
    values = np.array([[[1, 2, 3], [1000, 1000, -1000]]], dtype=np.float32)
    e = np.exp([1, 2, 3])
    np.testing.assert_allclose(apply("Softmax", values), [[e / e.sum(), [0.5, 0.5, 0]]], rtol=1e-6)
    np.testing.assert_allclose(apply("Softmin", -values), [[e / e.sum(), [0.5, 0.5, 0]]], rtol=1e-6)
    logs = [[np.log(e / e.sum()), np.log(0.5) - [0, 0, 2000]]]
    np.testing.assert_allclose(apply("LogSoftmax", values), logs, rtol=1e-6)


def test_glu_halves_the_width() -> None:
    found = ACTIVATIONS["GLU"](np.array([[2, -4, 0, 1e4], [2, -4, 0, -1e4]], dtype=np.float32))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[1, -4], [1, 0]])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_passes_through(name: str) -> None:
    with np.errstate(invalid="raise"):
        found = ACTIVATIONS[name](np.full((1, 2), np.nan, dtype=np.float32))
    assert np.isnan(found).all()


@pytest.mark.parametrize("name", ["torch.nn.modules.linear.Identity", "torch.nn.Identity"])
def test_identity_lives_elsewhere_in_torch(name: str) -> None:
    assert find_activation(name) is ACTIVATIONS["Identity"]


@pytest.mark.parametrize("name", ["my_package.Tanh", "Tanh", "torch.nn.modules.activation.PReLU", ""])
def test_others_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedModelError, match=r"Tanh") as refused:
        find_activation(name)
    assert repr(name) in str(refused.value)
