"""Static embeddings: a text's vector is the mean of its tokens' vectors from a table. NumPy is the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ids, TokenBatch
from ..engines.backend import InNumPy
from ..engines.signature import SENTENCE_EMBEDDING
from ..errors import DamagedFileError
from ..files.weights import read_safetensors

_NAMES = ("embedding.weight", "embeddings")
_MODEL2VEC = "model2vec"
_AGAIN = "download or export the model again"


@dataclass(frozen=True, eq=False)
class StaticBackend(InNumPy):
    """A table of ``rows`` (rows, dim), and the ``factors`` (vocabulary,) that tokens' rows are multiplied by.

    ``mapping`` (vocabulary,) says which row a token has; None: the row of its own number.
    Source: sentence-transformers' StaticEmbedding, Model2Vec.
    """

    rows: NDArray[Any]
    factors: Floats
    mapping: Ids | None = None
    meaning = output = SENTENCE_EMBEDDING

    @property
    def width(self) -> int:
        """Dimensions of the embeddings."""
        return self.rows.shape[1]

    def run(self, batch: TokenBatch) -> Floats:
        """The mean (batch, dim) of each text's rows; zeros for a text without tokens.

        Raises DamagedFileError for a token that has no row.
        """
        ids = batch.input_ids
        if ids.max(initial=0) >= len(self.factors):
            raise DamagedFileError(
                f"token {ids.max()} has no row among the {len(self.factors)} of model.safetensors; that file "
                "and tokenizer.json are from different models: download or export the model again"
            )
        if len(ids) == 1 and ids.size > len(self.factors) and batch.attention_mask.all():
            return self._counted(ids[0])
        weights = self.factors[ids] * batch.attention_mask
        weights /= np.maximum(batch.attention_mask.sum(axis=1, keepdims=True), 1)
        rows = self.rows[ids if self.mapping is None else self.mapping[ids]]
        return np.einsum("bl,bld->bd", weights.astype(np.float32), rows).astype(np.float32, copy=False)

    def _counted(self, ids: Ids) -> Floats:
        """The mean (1, dim) of the rows of a text that is longer than the vocabulary, each row taken once."""
        weights: NDArray[Any] = np.bincount(ids, minlength=len(self.factors)) * (self.factors / len(ids))
        if self.mapping is not None:
            weights = np.bincount(self.mapping, weights, len(self.rows))
        return np.einsum("v,vd->d", weights, self.rows).astype(np.float32)[None]


def open_static(folder: Path) -> StaticBackend:
    """The table in ``folder``'s model.safetensors; raises MissingFileError or DamagedFileError.

    A token's row is ``embeddings[mapping[token]] * weights[token]`` where the file has these tensors. A table of
    integers without a scale is taken as it is, as Model2Vec does.
    """
    path = folder / "model.safetensors"
    tensors = read_safetensors(path)
    name = next((name for name in _NAMES if name in tensors), None)
    if name is None or tensors[name].ndim != 2 or tensors[name].dtype.kind not in "iuf":
        raise DamagedFileError(f"{path} holds {', '.join(tensors)}; expected a matrix {' or '.join(_NAMES)}")
    rows = tensors[name]
    if name == "embedding.weight" and rows.dtype == np.int8 and "embedding.scale" not in tensors:
        raise DamagedFileError(f"{path} has int8 rows but no embedding.scale; {_AGAIN}")
    factors, mapping = _factors(path, tensors, "embedding.scale", len(rows)), tensors.get("mapping")
    if mapping is not None:
        if mapping.ndim != 1 or mapping.dtype.kind not in "iu" or not _within(mapping, len(rows)):
            raise DamagedFileError(
                f"{path} has {len(rows)} rows and a mapping of shape {mapping.shape}, {mapping.dtype}, that does not "
                f"give each token a row; {_AGAIN}"
            )
        mapping = mapping.astype(np.int64)
        factors = factors[mapping]
    return StaticBackend(rows, factors * _factors(path, tensors, "weights", len(factors)), mapping)


def _factors(path: Path, tensors: Mapping[str, NDArray[Any]], name: str, count: int) -> Floats:
    """The tensor ``name`` (count,), or ones where there is none."""
    found = tensors.get(name, np.ones(count, dtype=np.float32))
    if found.shape != (count,) or found.dtype.kind not in "iuf":
        raise DamagedFileError(
            f"{path} has {count} rows and {name} of shape {found.shape}, {found.dtype}; expected ({count},) numbers: "
            f"{_AGAIN}"
        )
    return np.asarray(found, dtype=np.float32)


def _within(mapping: NDArray[Any], rows: int) -> bool:
    return not mapping.size or (int(mapping.min()) >= 0 and int(mapping.max()) < rows)


def is_model2vec(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a ``folder`` without modules.json holds a Model2Vec model; ``config`` is its config.json.

    It does where config.json says so. Where config.json names no type of model, it does if model.safetensors has a
    tensor called embeddings. Raises DamagedFileError.
    """
    path = folder / "model.safetensors"
    if config.get("model_type") or config.get("architectures") or not path.is_file():
        return config.get("model_type") == _MODEL2VEC
    return "embeddings" in read_safetensors(path)
