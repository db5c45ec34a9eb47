"""The modules after the transformer, as frozen specs that map features to features.

Features are a dictionary under sentence-transformers' own names: ``token_embeddings`` (batch, tokens, hidden),
``sentence_embedding`` (batch, dim), ``attention_mask`` (batch, tokens), ``prompt_length`` (an int). A module returns a
new dictionary and never writes into the arrays it was given. Source: sentence-transformers' modules of these names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .activations import Activation
from .arrays import Floats
from .pooling import POOLING, without_prompt
from .vectors import normalize

Features = Mapping[str, Any]


class Module(Protocol):
    """A step from features to features."""

    def __call__(self, features: Features) -> Features:
        """Features with this module's output added."""
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
        pooled = [POOLING[mode](tokens, mask, own) for mode in self.modes]
        return {**features, "sentence_embedding": pooled[0] if len(pooled) == 1 else np.concatenate(pooled, axis=1)}


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


@dataclass(frozen=True)
class Normalize:
    """Unit Euclidean length."""

    def __call__(self, features: Features) -> Features:
        """Normalize ``sentence_embedding``."""
        return {**features, "sentence_embedding": normalize(features["sentence_embedding"])}


@dataclass(frozen=True)
class Dropout:
    """Nothing, at inference."""

    def __call__(self, features: Features) -> Features:
        """Return the features as they are."""
        return features


def apply_modules(modules: tuple[Module, ...], features: Features) -> Features:
    """The features after every module in turn."""
    for module in modules:
        features = module(features)
    return features
