"""Activation functions by the dotted names that configurations carry. Source: torch.nn."""

import math
from collections.abc import Callable

import numpy as np

from .arrays import Floats
from .errors import UnsupportedModelError

Activation = Callable[[Floats], Floats]


def identity(x: Floats) -> Floats:
    """x."""
    return x


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return (np.tanh(x * np.float32(0.5)) + np.float32(1)) * np.float32(0.5)


def relu(x: Floats) -> Floats:
    """max(x, 0)."""
    return np.maximum(x, np.float32(0))


def gelu(x: Floats) -> Floats:
    """x Φ(x) with the exact normal distribution."""
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return (x * (1 + erf(x / math.sqrt(2))) / 2).astype(np.float32)


def silu(x: Floats) -> Floats:
    """x sigmoid(x)."""
    return x * sigmoid(x)


def softmax(x: Floats) -> Floats:
    """exp(x) over its sum along the last axis."""
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


ACTIVATIONS: dict[str, Activation] = {
    "Identity": identity,
    "Tanh": np.tanh,
    "Sigmoid": sigmoid,
    "ReLU": relu,
    "GELU": gelu,
    "SiLU": silu,
    "Softmax": softmax,
}


def find_activation(dotted_name: str) -> Activation:
    """The function for ``torch.nn.modules.activation.Tanh`` and the like.

    Raises UnsupportedModelError for a name outside ``torch.nn`` or one that is not known here.
    """
    name = dotted_name.rpartition(".")[2]
    if not dotted_name.startswith("torch.nn.") or name not in ACTIVATIONS:
        known = ", ".join(sorted(ACTIVATIONS))
        raise UnsupportedModelError(
            f"activation function {dotted_name!r}; expected one of torch.nn's {known}. "
            "Custom code is not run: export the model with a module that sentence-transformers ships"
        )
    return ACTIVATIONS[name]
