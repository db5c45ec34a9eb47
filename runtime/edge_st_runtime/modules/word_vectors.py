"""Word vectors and bags of words: models with a vocabulary of whole words. NumPy is the engine.

Source: sentence-transformers' WordEmbeddings and BoW.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import Floats, TokenBatch
from ..engines.backend import InNumPy
from ..engines.signature import SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS
from ..errors import DamagedFileError
from ..files.reading import read_json
from ..files.weights import read_safetensors
from .loaders import word_weights


@dataclass(frozen=True, eq=False)
class WordTable(InNumPy):
    """The vector of every word: ``rows`` (vocabulary, hidden) float32."""

    rows: Floats
    meaning = output = TOKEN_EMBEDDINGS

    @property
    def width(self) -> int:
        """Dimensions of the embeddings."""
        return self.rows.shape[1]

    def run(self, batch: TokenBatch) -> Floats:
        """The vectors (batch, words, hidden) of the words."""
        return self.rows[batch.input_ids]


@dataclass(frozen=True, eq=False)
class BagOfWords(InNumPy):
    """A bag of words: each word is a dimension, whose value is the word's weight (words,).

    With ``cumulative`` it is the weight times the number of occurrences.
    """

    weights: Floats
    cumulative: bool
    meaning = output = SENTENCE_EMBEDDING

    @property
    def width(self) -> int:
        """Number of words."""
        return len(self.weights)

    def run(self, batch: TokenBatch) -> Floats:
        """The bags of words (batch, vocabulary) float32."""
        bags = np.zeros((len(batch.input_ids), len(self.weights)), dtype=np.float32)
        rows, columns = np.nonzero(batch.attention_mask)
        np.add.at(bags, (rows, batch.input_ids[rows, columns]), 1)
        return (bags if self.cumulative else np.minimum(bags, 1)) * self.weights


def open_words(folder: Path) -> WordTable:
    """The table in ``folder``'s model.safetensors; raises MissingFileError or DamagedFileError."""
    path = folder / "model.safetensors"
    tensors = read_safetensors(path)
    if "emb_layer.weight" not in tensors:
        raise DamagedFileError(f"{path} holds {', '.join(tensors)}; expected emb_layer.weight")
    return WordTable(np.asarray(tensors["emb_layer.weight"], dtype=np.float32))


def open_bag(folder: Path) -> BagOfWords:
    """The weights in ``folder``'s config.json; raises MissingFileError or DamagedFileError."""
    config = read_json(folder / "config.json")
    unique = {**config, "vocab": list(dict.fromkeys(config["vocab"]))}
    return BagOfWords(word_weights(unique), bool(config.get("cumulative_term_frequency", True)))
