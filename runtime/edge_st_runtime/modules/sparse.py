"""The modules that make sparse embeddings: (batch, vocabulary) or (batch, latents), mostly zeros.

Source: sentence-transformers' SpladePooling, SparseAutoEncoder and SparseStaticEmbedding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Floats, TokenBatch
from ..engines.backend import InNumPy
from ..engines.signature import MAX_ACTIVE_DIMS, SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS
from ..errors import DamagedFileError
from ..files.reading import WrongValueError, inside, read_json, read_optional_json, reading
from ..files.weights import read_safetensors
from .specs import Features, Widths, checked_width

STRATEGIES, LOGARITHMS = ("max", "sum"), {"relu": 1, "log1p_relu": 2}


@dataclass(frozen=True)
class SpladePooling:
    """Logits of a masked language model (batch, tokens, vocabulary) → weights (batch, vocabulary) of all words.

    A word's weight is the maximum or the sum (``strategy``) of log(1 + max(logit, 0)) over the text's tokens. With
    ``logarithms=2``, x → log(1 + x) is applied twice. Source: SPLADE (https://arxiv.org/abs/2107.05720,
    https://arxiv.org/abs/2109.10086).
    """

    strategy: str = "max"
    logarithms: int = 1

    def __call__(self, features: Features) -> Features:
        """Pool ``token_embeddings`` over ``attention_mask``; for a maximum, the logarithm is taken afterwards."""
        logits, mask = features[TOKEN_EMBEDDINGS], features["attention_mask"].astype(bool)[:, :, None]
        if self.strategy == "max":
            weights = self._logarithm(np.max(logits, axis=1, initial=0, where=mask))
        else:
            weights = np.sum(self._logarithm(np.maximum(logits, 0)), axis=1, where=mask)
        return {**features, SENTENCE_EMBEDDING: weights}

    def _logarithm(self, weights: Floats) -> Floats:
        for _ in range(self.logarithms):
            weights = np.log1p(weights)
        return weights

    def widths(self, widths: Widths) -> Widths:
        """The size of the vocabulary."""
        return {**widths, SENTENCE_EMBEDDING: checked_width(self, widths, TOKEN_EMBEDDINGS)}


@dataclass(frozen=True, eq=False)
class SparseAutoEncoder:
    """A dense embedding (batch, dim) → its ``k`` largest latents (batch, latents); all others and negative ones are 0.

    ``weight`` is (latents, dim), ``pre_bias`` (dim,), ``latent_bias`` (latents,). Source: CSR
    (https://arxiv.org/abs/2503.01776).
    """

    weight: Floats
    pre_bias: Floats
    latent_bias: Floats
    k: int
    standardize: bool = False

    def __call__(self, features: Features) -> Features:
        """Encode ``sentence_embedding``; the feature "max_active_dims", if it is there, is used instead of ``k``."""
        latents = self._latents(features[SENTENCE_EMBEDDING])
        k = min(features.get(MAX_ACTIVE_DIMS, self.k), latents.shape[1])
        largest = np.argpartition(-latents, k - 1, axis=1)[:, :k]
        found = np.zeros_like(latents)
        np.put_along_axis(found, largest, np.maximum(np.take_along_axis(latents, largest, axis=1), 0), axis=1)
        return {**features, SENTENCE_EMBEDDING: found}

    def _latents(self, vectors: Floats) -> Floats:
        if self.standardize:
            deviations = vectors.std(axis=1, ddof=1, keepdims=True) + np.float32(1e-5)
            vectors = np.divide(vectors - vectors.mean(axis=1, keepdims=True), deviations, dtype=np.float32)
        return np.asarray((vectors - self.pre_bias) @ self.weight.T + self.latent_bias, dtype=np.float32)

    def widths(self, widths: Widths) -> Widths:
        """The number of latents."""
        checked_width(self, widths, SENTENCE_EMBEDDING, self.weight.shape[1])
        return {**widths, SENTENCE_EMBEDDING: len(self.weight)}


@dataclass(frozen=True, eq=False)
class SparseStaticBackend(InNumPy):
    """A weight (vocabulary,) for every token, such as its inverse document frequency; a token counts once."""

    weights: Floats
    meaning = output = SENTENCE_EMBEDDING

    @property
    def width(self) -> int:
        """Size of the vocabulary."""
        return len(self.weights)

    def run(self, batch: TokenBatch) -> Floats:
        """The weights (batch, vocabulary) of each text's tokens; raises DamagedFileError for a token without weight."""
        if batch.input_ids.max(initial=0) >= len(self.weights):
            raise DamagedFileError(
                f"token {batch.input_ids.max()} has no weight among {len(self.weights)}; the weights and "
                "tokenizer.json are from different models: download or export the model again"
            )
        found = np.zeros((len(batch.input_ids), len(self.weights)), dtype=np.float32)
        rows, places = np.nonzero(batch.attention_mask)
        tokens = batch.input_ids[rows, places]
        found[rows, tokens] = self.weights[tokens]
        return found


def sparse_static_file(config: Mapping[str, Any]) -> str:
    """The file that holds the weights of a SparseStaticEmbedding with this config.json."""
    name = config.get("path")
    return Path(name).name if isinstance(name, str) and name.endswith(".json") else "model.safetensors"


def open_sparse_static(folder: Path, token_id: Any) -> SparseStaticBackend:
    """The weights in ``folder``: from the JSON file {token: weight} that config.json names, else model.safetensors.

    ``token_id`` maps a token to its id, or to None for an unknown one. Raises MissingFileError or DamagedFileError.
    """
    path = inside(folder, sparse_static_file(read_optional_json(folder / "config.json")))
    if path.suffix == ".json":
        with reading(path):
            return SparseStaticBackend(_weights_by_token(path, token_id))
    tensors = read_safetensors(path)
    if "weight" not in tensors or tensors["weight"].ndim != 1:
        raise DamagedFileError(f"{path} holds {', '.join(tensors)}; expected a vector called weight")
    return SparseStaticBackend(np.asarray(tensors["weight"], dtype=np.float32))


def _weights_by_token(path: Path, token_id: Any) -> Floats:
    known = {token_id(token): weight for token, weight in read_json(path).items()}
    unknown = known.pop(None, None)
    if unknown is not None or not known:
        raise DamagedFileError(
            f"{path} names tokens that tokenizer.json does not have; they are from different models: download or "
            "export the model again"
        )
    weights = np.zeros(max(known) + 1, dtype=np.float32)
    weights[list(known)] = [float(weight) for weight in known.values()]
    if not np.isfinite(weights).all():
        raise WrongValueError("a weight is NaN or infinite; expected numbers")
    return weights
