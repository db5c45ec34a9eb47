"""Static embeddings: a text's vector is the mean of its tokens' vectors from a table. NumPy is the engine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, TokenBatch
from ..engines.backend import InNumPy
from ..engines.signature import SENTENCE_EMBEDDING
from ..errors import DamagedFileError
from ..files.weights import read_safetensors

_NAMES = ("embedding.weight", "embeddings")


@dataclass(frozen=True, eq=False)
class StaticBackend(InNumPy):
    """A table of ``rows`` (vocabulary, dim), float or int8, and ``scales`` (vocabulary,) that rows are multiplied with.

    Source: sentence-transformers' StaticEmbedding, Model2Vec.
    """

    rows: NDArray[Any]
    scales: Floats
    meaning = output = SENTENCE_EMBEDDING

    @property
    def width(self) -> int:
        """Dimensions of the embeddings."""
        return self.rows.shape[1]

    def run(self, batch: TokenBatch) -> Floats:
        """The mean (batch, dim) of each text's rows; zeros for a text without tokens.

        Raises DamagedFileError for a token that has no row.
        """
        if batch.input_ids.max(initial=0) >= len(self.rows):
            raise DamagedFileError(
                f"token {batch.input_ids.max()} has no row among the {len(self.rows)} of model.safetensors; that file "
                "and tokenizer.json are from different models: download or export the model again"
            )
        weights = self.scales[batch.input_ids] * batch.attention_mask
        weights /= np.maximum(batch.attention_mask.sum(axis=1, keepdims=True), 1)
        return np.einsum("bl,bld->bd", weights.astype(np.float32), self.rows[batch.input_ids])


def open_static(folder: Path) -> StaticBackend:
    """The table in ``folder``'s model.safetensors; raises MissingFileError or DamagedFileError."""
    path = folder / "model.safetensors"
    tensors = read_safetensors(path)
    rows = next((tensors[name] for name in _NAMES if name in tensors), None)
    if rows is None or rows.ndim != 2:
        raise DamagedFileError(f"{path} holds {', '.join(tensors)}; expected a matrix {' or '.join(_NAMES)}")
    scales = tensors.get("embedding.scale", np.ones(len(rows), dtype=np.float32))
    if scales.shape != (len(rows),):
        raise DamagedFileError(
            f"{path} has {len(rows)} rows and scales of shape {scales.shape}, expected ({len(rows)},); export it again"
        )
    if rows.dtype == np.int8 and "embedding.scale" not in tensors:
        raise DamagedFileError(f"{path} has int8 rows but no embedding.scale; export it again")
    return StaticBackend(rows, np.asarray(scales, dtype=np.float32))
