"""Functions and modules of PyTorch as activations of edge-st's CrossEncoder."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edge_st.models.score_activations import apply_activation, as_activation

LOGITS = np.array([[2.95], [-0.76], [-3.71]], dtype=np.float32)
FUNCTIONS: list[Callable[[Any], Any]] = [
    *(
        nn.Sigmoid(),
        nn.LeakyReLU(),
        nn.LeakyReLU(0.5),
        nn.ELU(2.0),
        nn.Softplus(beta=3),
        nn.Hardtanh(-3, 3),
        nn.PReLU(),
    ),
    *(nn.Softmax(dim=0), nn.Threshold(0, 0), nn.Sequential(nn.Sigmoid(), nn.Tanh())),
    *(torch.sigmoid, nn.functional.sigmoid, lambda logits: logits.sigmoid()),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: getattr(function, "__name__", str(function)))
def test_they_give_what_they_give_there(function: Callable[[Any], Any]) -> None:
    with torch.no_grad():
        wanted = function(torch.from_numpy(LOGITS)).numpy()
    found = apply_activation(as_activation(function), LOGITS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
