"""Activation functions against their formulas in double precision."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st_runtime.activations import ACTIVATIONS, find_activation
from edge_st_runtime.errors import UnsupportedModelError

VALUES = np.array([[-120, -3.5, -1, -1e-3, 0, 1e-3, 0.5, 1, 4.25, 120]], dtype=np.float32)
FORMULAS: dict[str, Callable[[float], float]] = {
    "Identity": lambda x: x,
    "Tanh": math.tanh,
    "Sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "ReLU": lambda x: max(x, 0.0),
    "GELU": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "SiLU": lambda x: x / (1 + math.exp(-x)),
}


def apply(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    found = find_activation(f"torch.nn.modules.activation.{name}")(values)
    assert found.dtype == np.float32
    assert found.shape == values.shape
    return found


def test_every_activation_is_tested() -> None:
    assert {*FORMULAS, "Softmax"} == set(ACTIVATIONS)


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name: str) -> None:
    with np.errstate(all="raise"):
        found = apply(name, VALUES)
    np.testing.assert_allclose(found, [[FORMULAS[name](float(x)) for x in VALUES[0]]], rtol=1e-6, atol=1e-7)


def test_softmax_is_over_the_last_axis_and_does_not_overflow() -> None:
    values = np.array([[[1, 2, 3], [1000, 1000, -1000]]], dtype=np.float32)
    e = np.exp([1, 2, 3])
    np.testing.assert_allclose(apply("Softmax", values), [[e / e.sum(), [0.5, 0.5, 0]]], rtol=1e-6)


@pytest.mark.parametrize("name", ["torch.nn.modules.linear.Identity", "torch.nn.Identity"])
def test_identity_lives_elsewhere_in_torch(name: str) -> None:
    assert find_activation(name) is ACTIVATIONS["Identity"]


@pytest.mark.parametrize("name", ["my_package.Tanh", "Tanh", "torch.nn.modules.activation.Hardswish", ""])
def test_others_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedModelError, match=r"Tanh") as refused:
        find_activation(name)
    assert repr(name) in str(refused.value)
