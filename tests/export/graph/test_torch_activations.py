"""Activation functions against torch's own."""

import numpy as np
import pytest
import torch
from torch.nn.modules import activation

from edge_st_runtime.modules.activations import ACTIVATIONS, find_activation

LEFT_OUT = {"PReLU": "its slope is a learned weight, which Dense reads", "Softmax2d": "it takes images, 3-D or 4-D"}
LARGE = np.geomspace(1e-30, 1e4, 400)
EDGES = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, 20.0, 88.0, -88.0, 104.0, -104.0, 1e-38, np.nan]
VALUES = np.concatenate([-LARGE, LARGE, np.linspace(-30, 30, 4000), EDGES]).astype(np.float32).reshape(-1, 8)


def without_arguments(name: str) -> bool:
    try:
        getattr(activation, name)()
    except TypeError:
        return False
    return True


@pytest.mark.filterwarnings("ignore:Implicit dimension")
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_equal_to_torch(name: str) -> None:
    module = getattr(torch.nn, name)().eval()
    function = find_activation(f"{type(module).__module__}.{name}")
    assert function is find_activation(f"torch.nn.{name}")
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        found = function(VALUES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, module(torch.from_numpy(VALUES)).numpy(), rtol=1e-6, atol=1e-6)


def test_every_activation_without_arguments_is_here_or_left_out_for_a_reason() -> None:
    assert {name for name in activation.__all__ if without_arguments(name)} == {*ACTIVATIONS, *LEFT_OUT} - {"Identity"}
