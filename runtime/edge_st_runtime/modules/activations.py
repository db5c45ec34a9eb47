"""Activation functions by the dotted names that configurations have. Source: torch.nn.

Each does what the class of torch.nn does when it is made without arguments, in evaluation mode. The softmax family runs
along the last axis, which is torch's default for (batch, dim). For (batch, tokens, dim) torch's default is the batch
axis, which makes a text's vector depend on the other texts of its batch, so a Dense over tokens with one of them is
refused. Softmax2d, which is for images, is left out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from ..errors import UnsupportedModelError

Activation = Callable[[Floats], Floats]

# ln(erfc(z) / t) + z² as a polynomial in t = 1 / (1 + z / 2), highest power first.
_ERFC = (
    *(0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807),
    *(-0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223),
)


def identity(x: Floats) -> Floats:
    """x."""
    return x


def relu(x: Floats) -> Floats:
    """max(x, 0)."""
    return np.maximum(x, 0)


def relu6(x: Floats) -> Floats:
    """min(max(x, 0), 6)."""
    return np.clip(x, 0, 6)


def leaky_relu(x: Floats) -> Floats:
    """x, or 0.01 x below 0."""
    return np.maximum(x, 0.01 * x)


def rrelu(x: Floats) -> Floats:
    """x, or 11/48 x below 0: the mean of the slopes 1/8 to 1/3 that training draws from."""
    return np.maximum(x, 11 / 48 * x)


@dataclass(frozen=True, eq=False)
class PReLU:
    """x, or slope · x below 0; the learned slope is (1,) or (dim,)."""

    slope: Floats

    def __call__(self, x: Floats) -> Floats:
        """Apply it."""
        return np.maximum(x, 0) + self.slope * np.minimum(x, 0)


def elu(x: Floats) -> Floats:
    """x, or exp(x) - 1 below 0."""
    return np.maximum(x, 0) + np.expm1(np.minimum(x, 0))


def selu(x: Floats) -> Floats:
    """λ x, or λα (exp(x) - 1) below 0, with the constants that keep zero mean and unit variance."""
    negative = np.multiply(1.6732632423543772, np.expm1(np.minimum(x, 0)))
    return np.multiply(1.0507009873554805, np.maximum(x, 0) + negative)


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), as exp(min(x, 0)) / (1 + exp(-|x|)), which does not overflow."""
    return np.divide(np.exp(np.minimum(x, 0)), 1 + np.exp(-np.abs(x)))


def silu(x: Floats) -> Floats:
    """x sigmoid(x)."""
    return x * sigmoid(x)


def gelu(x: Floats) -> Floats:
    """x Φ(x) = max(x, 0) - |x| erfc(|x| / √2) / 2; erfc to 1e-7 as in Numerical Recipes (§6.2, ``erfcc``)."""
    z = np.abs(x.astype(np.float64)) / math.sqrt(2)  # float32 would leave 4e-7
    t = 1 / (1 + z / 2)
    erfc = t * np.exp(np.polyval(_ERFC, t) - z * z)
    return (np.maximum(x, 0) - z * erfc / math.sqrt(2)).astype(np.float32)


def glu(x: Floats) -> Floats:
    """a sigmoid(b) for x = [a, b]: half as wide as x."""
    a, b = np.split(x, 2, axis=-1)
    return a * sigmoid(b)


def hardsigmoid(x: Floats) -> Floats:
    """min(max(x + 3, 0), 6) / 6."""
    return np.divide(np.clip(x + 3, 0, 6), 6)


def hardswish(x: Floats) -> Floats:
    """x hardsigmoid(x)."""
    return x * hardsigmoid(x)


def hardtanh(x: Floats) -> Floats:
    """min(max(x, -1), 1)."""
    return np.clip(x, -1, 1)


def tanhshrink(x: Floats) -> Floats:
    """x - tanh(x)."""
    return x - np.tanh(x)


def hardshrink(x: Floats) -> Floats:
    """x, or 0 where |x| ≤ 1/2."""
    return np.where(np.abs(x) <= 0.5, np.float32(0), x)


def softshrink(x: Floats) -> Floats:
    """x moved by 1/2 towards 0, or 0 where |x| ≤ 1/2."""
    return x - np.clip(x, -0.5, 0.5)


def softsign(x: Floats) -> Floats:
    """x / (1 + |x|)."""
    return np.divide(x, 1 + np.abs(x))


def softplus(x: Floats) -> Floats:
    """log(1 + exp(x)), as max(x, 0) + log(1 + exp(-|x|)), which does not overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def log_sigmoid(x: Floats) -> Floats:
    """log(sigmoid(x))."""
    return -softplus(-x)


def mish(x: Floats) -> Floats:
    """x tanh(softplus(x))."""
    return x * np.tanh(softplus(x))


def softmax(x: Floats) -> Floats:
    """exp(x) over its sum along the last axis."""
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def softmin(x: Floats) -> Floats:
    """softmax(-x)."""
    return softmax(-x)


def log_softmax(x: Floats) -> Floats:
    """log(softmax(x))."""
    below = x - x.max(axis=-1, keepdims=True)
    return below - np.log(np.exp(below).sum(axis=-1, keepdims=True))


ACTIVATIONS: dict[str, Activation] = {
    "Identity": identity,
    "ReLU": relu,
    "ReLU6": relu6,
    "LeakyReLU": leaky_relu,
    "RReLU": rrelu,
    "ELU": elu,
    "CELU": elu,  # they differ only for α ≠ 1
    "SELU": selu,
    "Sigmoid": sigmoid,
    "SiLU": silu,
    "GELU": gelu,
    "GLU": glu,
    "Hardsigmoid": hardsigmoid,
    "Hardswish": hardswish,
    "Tanh": np.tanh,
    "Hardtanh": hardtanh,
    "Tanhshrink": tanhshrink,
    "Hardshrink": hardshrink,
    "Softshrink": softshrink,
    "Softsign": softsign,
    "Softplus": softplus,
    "LogSigmoid": log_sigmoid,
    "Mish": mish,
    "Softmax": softmax,
    "Softmin": softmin,
    "LogSoftmax": log_softmax,
}


#: the functions whose result depends on all dimensions of a vector
SOFTMAX_FAMILY = (softmax, softmin, log_softmax)


def find_activation(dotted_name: str) -> Activation:
    """The function called ``dotted_name``, such as ``torch.nn.modules.activation.Tanh``.

    Raises UnsupportedModelError for a name outside ``torch.nn`` and for an unknown one.
    """
    name = dotted_name.rpartition(".")[2]
    if not dotted_name.startswith("torch.nn.") or name not in ACTIVATIONS:
        known = ", ".join(sorted(ACTIVATIONS))
        raise UnsupportedModelError(
            f"activation function {dotted_name!r}; expected one of torch.nn's {known}. "
            "Custom code is never run: export the model with an activation of torch.nn"
        )
    return ACTIVATIONS[name]
