"""SPLADE's weights of all words, as ONNX nodes, from what a masked language model's head multiplies by its words.

Source: sentence-transformers' SpladePooling.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_st_runtime.engines.signature import SENTENCE_EMBEDDING
from edge_st_runtime.model.route import longest_input

from .pieces import Pieces
from .ports import MASK, Output

#: the most logits of a text that are held at once: of all BERT's words for 512 tokens, of fewer for more tokens
_LOGITS_AT_ONCE = 512 * 32768
_USUAL_TOKENS = 512


def words_at_once(config: Mapping[str, Any]) -> int:
    """For how many words logits are held at once, by the config.json of a transformer."""
    return _LOGITS_AT_ONCE // (longest_input(config) or _USUAL_TOKENS)


@dataclass(frozen=True)
class Splade:
    """How the logits of a text's tokens become a weight for each word.

    With ``largest`` it is that of the largest logit, else the sum of all tokens' weights. The logarithm is taken so
    many times. Logits are held of ``at_once`` words, so that memory does not grow with the text.
    """

    largest: bool
    logarithms: int
    at_once: int


@dataclass(frozen=True)
class WordHead:
    """The names of a masked language model's head: its map, its normalization, its own words, and their biases.

    Files call the biases by one or several of these names; the first one is used. ``activation`` is None for that of
    the transformer.
    """

    dense: str
    norm: str
    words: str
    biases: tuple[str, ...]
    activation: str | None = None


def sparse(pieces: Pieces, x: str, rows: str, biases: str | None, width: int, splade: Splade) -> Output:
    """The weights (batch, words) for ``x`` (batch, tokens, width).

    Logits are the products of ``x`` with the checkpoint's ``rows`` (words, width), plus ``biases`` (words,).
    """
    return _Writer(pieces, rows, biases, width, splade).write(x)


@dataclass(frozen=True, eq=False)
class _Writer:
    pieces: Pieces
    rows: str
    biases: str | None
    width: int
    splade: Splade

    def write(self, x: str) -> Output:
        graph, checkpoint, at_once = self.pieces.graph, self.pieces.checkpoint, self.splade.at_once
        words = checkpoint.rows(self.rows)
        matrix = graph.weight(self.rows, checkpoint.get(self.rows, (words, self.width)))
        shifts = np.zeros(words, np.float32) if self.biases is None else checkpoint.get(self.biases, (words,))
        mask = graph.cast(graph.apply("Unsqueeze", MASK, graph.integers(2)), np.float32)
        pooled, x = (self._maxima, self._filled(x, mask)) if self.splade.largest else (self._sums, x)
        parts = []
        for start in range(0, words, at_once):
            part = range(start, min(start + at_once, words))
            logits = graph.product_of_rows(x, matrix, part, (words, self.width))
            shift = graph.weight(f"logit_biases_{start}", shifts[part.start : part.stop])
            parts.append(pooled(logits, shift, mask))
        value = parts[0] if len(parts) == 1 else graph.apply("Concat", *parts, axis=-1)
        return Output(value, SENTENCE_EMBEDDING, (words,))

    def _filled(self, x: str, mask: str) -> str:
        """``x`` with a text's first token in the place of its padding, so that no logit must be masked."""
        graph = self.pieces.graph
        first = graph.apply("GatherND", x, graph.apply("ArgMax", MASK, axis=1, keepdims=1), batch_dims=1)
        shown = graph.apply("Greater", mask, graph.number(0))
        return graph.apply("Where", shown, x, graph.apply("Unsqueeze", first, graph.integers(1)))

    def _maxima(self, logits: str, shift: str, mask: str) -> str:
        """The weights of the largest logits; none for a text without tokens."""
        graph = self.pieces.graph
        largest = graph.apply("Add", graph.apply("ReduceMax", logits, graph.integers(1), keepdims=0), shift)
        any_token = graph.apply("ReduceMax", mask, graph.integers(1), keepdims=0)
        return self._weights(graph.apply("Mul", largest, any_token))

    def _sums(self, logits: str, shift: str, mask: str) -> str:
        graph = self.pieces.graph
        weights = self._weights(graph.apply("Mul", graph.apply("Add", logits, shift), mask))
        return graph.apply("ReduceSum", weights, graph.integers(1), keepdims=0)

    def _weights(self, logits: str) -> str:
        """log(1 + max(logit, 0)), or the logarithm of that once more."""
        graph = self.pieces.graph
        weights = graph.apply("Relu", logits)
        for _ in range(self.splade.logarithms):
            weights = graph.apply("Log", graph.apply("Add", weights, graph.number(1)))
        return weights
