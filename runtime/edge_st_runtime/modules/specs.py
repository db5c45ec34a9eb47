"""The modules after the transformer, as frozen specs that map features to features.

Features are a dictionary under sentence-transformers' own names: ``token_embeddings`` (batch, tokens, hidden),
``sentence_embedding`` (batch, dim), ``attention_mask`` (batch, tokens), ``prompt_length`` (an int),
``token_weights_sum`` (batch,). A module returns a new dictionary and never writes into the arrays it was given.
Source: sentence-transformers' modules of these names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from ..arrays import Floats
from ..errors import DamagedFileError, UnsupportedModelError
from ..vectors.dense import normalize
from .activations import Activation
from .pooling import POOLING, without_prompt

Features = Mapping[str, Any]
#: the last axis of each feature, None where it is not known
Widths: TypeAlias = Mapping[str, int | None]


class Module(Protocol):
    """A step from features to features."""

    def __call__(self, features: Features) -> Features:
        """Features with this module's output added."""
        ...

    def widths(self, widths: Widths) -> Widths:
        """The widths of the features after it.

        Raises UnsupportedModelError where one that it reads is not there, DamagedFileError where it is of another
        width than the module's own weights.
        """
        ...


@dataclass(frozen=True)
class Pooling:
    """Token embeddings → sentence embedding; several modes are concatenated in order."""

    modes: tuple[str, ...] = ("mean",)
    include_prompt: bool = True

    def __call__(self, features: Features) -> Features:
        """Pool ``token_embeddings`` over ``attention_mask``."""
        tokens = features["token_embeddings"]
        own = mask = features["attention_mask"]
        if not self.include_prompt and "prompt_length" in features:
            mask = without_prompt(mask, features["prompt_length"])
        weights = features.get("token_weights_sum")
        pooled = [POOLING[mode](tokens, mask, own, weights) for mode in self.modes]
        return {**features, "sentence_embedding": pooled[0] if len(pooled) == 1 else np.concatenate(pooled, axis=1)}

    def widths(self, widths: Widths) -> Widths:
        """That of the tokens, once for each mode."""
        width = checked_width(self, widths, "token_embeddings")
        return {**widths, "sentence_embedding": width and width * len(self.modes)}


@dataclass(frozen=True, eq=False)
class Dense:
    """A linear layer with an activation: x Wᵀ + b, plus the residual projection where there is one."""

    weight: Floats
    bias: Floats | None
    activation: Activation
    residual: Floats | None = None
    input_name: str = "sentence_embedding"
    output_name: str = "sentence_embedding"

    def __call__(self, features: Features) -> Features:
        """Project the feature ``input_name`` into ``output_name``."""
        inputs = features[self.input_name]
        outputs = inputs @ self.weight.T
        if self.bias is not None:
            outputs = outputs + self.bias
        outputs = self.activation(outputs)
        if self.residual is not None:
            outputs = outputs + inputs @ self.residual.T
        return {**features, self.output_name: outputs}

    def widths(self, widths: Widths) -> Widths:
        """That of its weight, as the activation leaves it."""
        checked_width(self, widths, self.input_name, self.weight.shape[1])
        probe = self.activation(np.zeros((1, len(self.weight)), dtype=np.float32))
        return {**widths, self.output_name: probe.shape[1]}


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """Zero mean and unit variance over the dimensions, then scale and shift; epsilon 1e-5 as in PyTorch."""

    weight: Floats
    bias: Floats

    def __call__(self, features: Features) -> Features:
        """Normalize ``sentence_embedding``."""
        vectors = features["sentence_embedding"]
        centred = vectors - vectors.mean(axis=-1, keepdims=True)
        scale = np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + np.float32(1e-5))
        return {**features, "sentence_embedding": centred / scale * self.weight + self.bias}

    def widths(self, widths: Widths) -> Widths:
        """The same."""
        checked_width(self, widths, "sentence_embedding", len(self.weight))
        return widths


@dataclass(frozen=True)
class Normalize:
    """Unit Euclidean length."""

    def __call__(self, features: Features) -> Features:
        """Normalize ``sentence_embedding``."""
        return {**features, "sentence_embedding": normalize(features["sentence_embedding"])}

    def widths(self, widths: Widths) -> Widths:
        """The same."""
        checked_width(self, widths, "sentence_embedding")
        return widths


@dataclass(frozen=True)
class Dropout:
    """Nothing, at inference."""

    def __call__(self, features: Features) -> Features:
        """Return the features as they are."""
        return features

    def widths(self, widths: Widths) -> Widths:
        """The same."""
        return widths


@dataclass(frozen=True, eq=False)
class WordWeights:
    """A weight for every word of the vocabulary (words,), such as its inverse document frequency.

    ``in_graph`` says that the embeddings are weighted already.
    """

    weights: Floats
    in_graph: bool = False

    def __call__(self, features: Features) -> Features:
        """Multiply ``token_embeddings``; the weights' sum goes to ``token_weights_sum``."""
        weights = self.weights[features["input_ids"]] * features["attention_mask"].astype(np.float32)
        features = {**features, "token_weights_sum": weights.sum(axis=1)}
        if self.in_graph:
            return features
        return {**features, "token_embeddings": features["token_embeddings"] * weights[:, :, None]}

    def widths(self, widths: Widths) -> Widths:
        """The same."""
        checked_width(self, widths, "token_embeddings")
        return widths


@dataclass(frozen=True, eq=False)
class CNN:
    """Convolutions over the tokens, side by side: ``kernels`` (size, in, out) of odd sizes, ``biases`` (out,).

    Beyond a text's own tokens there are zeros, wherever it stands in a batch, so that a text's vector does not depend
    on its neighbours; sentence-transformers lets padding in and so agrees for a text encoded alone.
    """

    kernels: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def __call__(self, features: Features) -> Features:
        """Convolve ``token_embeddings``."""
        tokens = features["token_embeddings"] * features["attention_mask"].astype(np.float32)[:, :, None]
        found = [_convolve(tokens, kernel) + bias for kernel, bias in zip(self.kernels, self.biases, strict=True)]
        return {**features, "token_embeddings": np.concatenate(found, axis=2)}

    def widths(self, widths: Widths) -> Widths:
        """Those of its kernels together."""
        checked_width(self, widths, "token_embeddings", self.kernels[0].shape[1])
        return {**widths, "token_embeddings": sum(map(len, self.biases))}


@dataclass(frozen=True)
class InGraph:
    """A module of class ``kind`` that edge-st's exporter puts into the graph, which then gives ``output``."""

    kind: str
    output: str = "token_embeddings"
    needs_all_layers: bool = False

    def __call__(self, features: Features) -> Features:
        """Return the features as they are."""
        return features

    def widths(self, widths: Widths) -> Widths:
        """The same."""
        return widths


def apply_modules(modules: tuple[Module, ...], features: Features) -> Features:
    """The features after every module in turn."""
    for module in modules:
        features = module(features)
    return features


def _convolve(tokens: Floats, kernel: Floats) -> Floats:
    """The sum over the kernel's places of the tokens there times its matrix; as many tokens as before."""
    size, length = len(kernel), tokens.shape[1]
    padded = np.pad(tokens, ((0, 0), (size // 2, size // 2), (0, 0)))
    return np.sum([padded[:, place : place + length] @ kernel[place] for place in range(size)], axis=0)


def checked_width(module: Module, widths: Widths, name: str, expected: int | None = None) -> int | None:
    """The width of the feature ``name``; raises where it is not there or not the ``expected`` one."""
    kind = type(module).__name__
    if name not in widths:
        raise UnsupportedModelError(
            f"{kind} reads {name!r}, but the modules before it give {', '.join(widths)}; check modules.json, or export "
            "the model again"
        )
    found = widths[name]
    if None not in (expected, found) and expected != found:
        raise DamagedFileError(
            f"{kind} takes {expected} dimensions and the modules before it give {found}; they are not of the same "
            "model: download or export it again"
        )
    return found
