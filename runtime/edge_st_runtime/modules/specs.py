"""The modules after the transformer, as frozen specs that map features to features.

Features are a dictionary with sentence-transformers' names: ``token_embeddings`` (batch, tokens, hidden),
``sentence_embedding`` (batch, dim), ``attention_mask`` (batch, tokens), ``prompt_length`` (an int), ``task`` (a str or
None), ``token_weights_sum`` (batch,). A module returns a new dictionary and never writes into the arrays that it was
given.
Source: sentence-transformers' modules of these names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from ..arrays import Floats, Mask
from ..errors import DamagedFileError, UnsupportedModelError
from ..vectors.dense import normalize
from .activations import Activation
from .pooling import POOLING, shares, without_prompt

Features = Mapping[str, Any]
#: the size of the last axis of each feature, None where it is not known
Widths: TypeAlias = Mapping[str, int | None]


class Module(Protocol):
    """A step from features to features."""

    def __call__(self, features: Features) -> Features:
        """Features with this module's output added."""
        ...

    def widths(self, widths: Widths) -> Widths:
        """The widths of the features after this module.

        Raises UnsupportedModelError where a feature that it reads is missing, DamagedFileError where the feature's
        width does not fit the module's weights.
        """
        ...


@dataclass(frozen=True)
class Pooling:
    """Token embeddings → sentence embedding; the results of several modes are concatenated in order."""

    modes: tuple[str, ...] = ("mean",)
    include_prompt: bool = True

    def __call__(self, features: Features) -> Features:
        """Pool ``token_embeddings`` over ``attention_mask``."""
        tokens = features["token_embeddings"]
        mask, own = self._masks(features)
        weights = features.get("token_weights_sum")
        pooled = [POOLING[mode](tokens, mask, own, weights) for mode in self.modes]
        return {**features, "sentence_embedding": pooled[0] if len(pooled) == 1 else np.concatenate(pooled, axis=1)}

    def shares(self, features: Features) -> dict[str, Floats]:
        """The share of each token (batch, tokens) by mode, for an engine that pools by itself: see `pooling.shares`."""
        mask, own = self._masks(features)
        return {mode: shares(mode, mask, own) for mode in self.modes}

    def _masks(self, features: Features) -> tuple[Mask, Mask]:
        """The tokens that are pooled, and all tokens of each text."""
        own = mask = features["attention_mask"]
        if not self.include_prompt and "prompt_length" in features:
            mask = without_prompt(mask, features["prompt_length"])
        return mask, own

    def widths(self, widths: Widths) -> Widths:
        """The width of the token embeddings, once for each mode."""
        width = checked_width(self, widths, "token_embeddings")
        return {**widths, "sentence_embedding": width and width * len(self.modes)}


@dataclass(frozen=True, eq=False)
class Dense:
    """A linear layer with an activation: activation(x Wᵀ + b), plus a residual projection x Rᵀ if there is one."""

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
        """The width of its output; some activations halve it."""
        checked_width(self, widths, self.input_name, self.weight.shape[1])
        probe = self.activation(np.zeros((1, len(self.weight)), dtype=np.float32))
        return {**widths, self.output_name: probe.shape[1]}


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """Zero mean and unit variance for each vector, then a learned scale and shift; epsilon is 1e-5 as in PyTorch."""

    weight: Floats
    bias: Floats

    def __call__(self, features: Features) -> Features:
        """Normalize ``sentence_embedding``."""
        vectors = features["sentence_embedding"]
        centred = vectors - vectors.mean(axis=-1, keepdims=True)
        scale = np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + np.float32(1e-5))
        return {**features, "sentence_embedding": centred / scale * self.weight + self.bias}

    def widths(self, widths: Widths) -> Widths:
        """Unchanged."""
        checked_width(self, widths, "sentence_embedding", len(self.weight))
        return widths


@dataclass(frozen=True)
class Normalize:
    """Scale each vector to unit Euclidean length."""

    def __call__(self, features: Features) -> Features:
        """Normalize ``sentence_embedding``."""
        return {**features, "sentence_embedding": normalize(features["sentence_embedding"])}

    def widths(self, widths: Widths) -> Widths:
        """Unchanged."""
        checked_width(self, widths, "sentence_embedding")
        return widths


@dataclass(frozen=True)
class NormalizeTokens:
    """Scale each token's vector to unit Euclidean length: a Normalize that reads ``token_embeddings``."""

    def __call__(self, features: Features) -> Features:
        """Normalize ``token_embeddings``."""
        return {**features, "token_embeddings": normalize(features["token_embeddings"])}

    def widths(self, widths: Widths) -> Widths:
        """Unchanged."""
        checked_width(self, widths, "token_embeddings")
        return widths


@dataclass(frozen=True)
class Dropout:
    """Dropout, which does nothing at inference."""

    def __call__(self, features: Features) -> Features:
        """Return the features as they are."""
        return features

    def widths(self, widths: Widths) -> Widths:
        """Unchanged."""
        return widths


@dataclass(frozen=True, eq=False)
class WordWeights:
    """A weight for every word of the vocabulary (words,), such as its inverse document frequency.

    ``in_graph`` says that the graph has already multiplied the token embeddings with it.
    """

    weights: Floats
    in_graph: bool = False

    def __call__(self, features: Features) -> Features:
        """Multiply ``token_embeddings`` with the weights, and give the weights' sum as ``token_weights_sum``."""
        weights = self.weights[features["input_ids"]] * features["attention_mask"].astype(np.float32)
        features = {**features, "token_weights_sum": weights.sum(axis=1)}
        if self.in_graph:
            return features
        return {**features, "token_embeddings": features["token_embeddings"] * weights[:, :, None]}

    def widths(self, widths: Widths) -> Widths:
        """Unchanged."""
        checked_width(self, widths, "token_embeddings")
        return widths


@dataclass(frozen=True, eq=False)
class CNN:
    """Parallel convolutions over the tokens: ``kernels`` (size, in, out) of odd sizes, ``biases`` (out,).

    Padding counts as zeros, so that a text's vector does not depend on the other texts of its batch. In
    sentence-transformers the embeddings of padding enter the convolution, so the vectors are equal for a text that is
    encoded alone.
    """

    kernels: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def __call__(self, features: Features) -> Features:
        """Convolve ``token_embeddings``."""
        tokens = features["token_embeddings"] * features["attention_mask"].astype(np.float32)[:, :, None]
        found = [_convolve(tokens, kernel) + bias for kernel, bias in zip(self.kernels, self.biases, strict=True)]
        return {**features, "token_embeddings": np.concatenate(found, axis=2)}

    def widths(self, widths: Widths) -> Widths:
        """The sum of the widths of its kernels' outputs."""
        checked_width(self, widths, "token_embeddings", self.kernels[0].shape[1])
        return {**widths, "token_embeddings": sum(map(len, self.biases))}


@dataclass(frozen=True)
class InGraph:
    """A module of class ``kind`` that is part of the exported graph, whose output is then ``output``."""

    kind: str
    output: str = "token_embeddings"
    needs_all_layers: bool = False

    def __call__(self, features: Features) -> Features:
        """Return the features as they are."""
        return features

    def widths(self, widths: Widths) -> Widths:
        """Unchanged."""
        return widths


def apply_modules(modules: tuple[Module, ...], features: Features) -> Features:
    """The features after all modules, applied in order."""
    for module in modules:
        features = module(features)
    return features


def _convolve(tokens: Floats, kernel: Floats) -> Floats:
    """The convolution (batch, tokens, out) of ``tokens`` (batch, tokens, in) with ``kernel`` (size, in, out)."""
    size, length = len(kernel), tokens.shape[1]
    padded = np.pad(tokens, ((0, 0), (size // 2, size // 2), (0, 0)))
    return np.sum([padded[:, place : place + length] @ kernel[place] for place in range(size)], axis=0)


def checked_width(module: Module, widths: Widths, name: str, expected: int | None = None) -> int | None:
    """The width of the feature ``name``, None where it is not known.

    Raises UnsupportedModelError where the feature is missing, DamagedFileError where its width is not ``expected``.
    """
    kind = type(module).__name__
    if name not in widths:
        raise UnsupportedModelError(
            f"{kind} reads {name!r}, but the modules before it give {', '.join(widths)}; check modules.json, or export "
            "the model again"
        )
    found = widths[name]
    if None not in (expected, found) and expected != found:
        raise DamagedFileError(
            f"{kind} takes {expected} dimensions and the modules before it give {found}; they are from different "
            "models: download or export it again"
        )
    return found
