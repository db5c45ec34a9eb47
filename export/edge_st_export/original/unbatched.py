"""Originals whose vectors depend on a text's neighbours, and so can only be compared text by text.

sentence-transformers lets CNN look into the padding of a batch, and neither CNN nor LSTM take a batch of texts without
a single known word, of which word vectors have no maximum either. Padding on the left moves a text's positions.
SparseStaticEmbedding forgets a text's own [PAD] where the batch is padded.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.modules import CNN, LSTM, WordEmbeddings
from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding
from sentence_transformers.util import quantize_embeddings

from edge_st_runtime.text.tokens import TextOrPair


class Alone:
    """``original`` with an ``encode`` that gives it one text at a time."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def encode(self, texts: Sequence[TextOrPair], **options: Any) -> Any:
        """What encoding each text alone gives; a precision is applied to all of them together."""
        return self._each(self.original.encode, texts, **options)

    def encode_query(self, texts: Sequence[str], **options: Any) -> Any:
        """As `encode`."""
        return self._each(self.original.encode_query, texts, **options)

    def encode_document(self, texts: Sequence[str], **options: Any) -> Any:
        """As `encode`."""
        return self._each(self.original.encode_document, texts, **options)

    def _each(self, encode: Any, texts: Sequence[TextOrPair], precision: str = "float32", **options: Any) -> Any:
        found = [encode([text], **options)[0] for text in texts]
        if isinstance(found[0], torch.Tensor) and found[0].ndim == 1:
            return torch.stack(found)
        if not isinstance(found[0], np.ndarray):
            return found
        vectors: NDArray[np.float32] = np.stack(found)
        return vectors if precision == "float32" else quantize_embeddings(vectors, precision)


def comparable(original: Any, texts: Iterable[TextOrPair], tasks: Sequence[str | None]) -> tuple[Any, list[TextOrPair]]:
    """``original`` as it can be compared, and those of ``texts`` that it encodes with every one of ``tasks``."""
    if hasattr(original, "predict"):
        return original, list(texts)
    if any(isinstance(module, CNN | LSTM | WordEmbeddings) for module in original.modules()):
        alone = Alone(original)
        return alone, [text for text in texts if all(_encodes(alone, text, task) for task in tasks)]
    sides = {getattr(getattr(module, "tokenizer", None), "padding_side", None) for module in original.modules()}
    neighbours = "left" in sides or any(isinstance(module, SparseStaticEmbedding) for module in original.modules())
    return (Alone(original) if neighbours else original), list(texts)


def _encodes(alone: Alone, text: TextOrPair, task: str | None) -> bool:
    """Whether there is a finite vector: a text without a known word has none with some poolings."""
    try:
        (vector,) = alone.encode([text], task=task, show_progress_bar=False)
    except Exception:  # noqa: BLE001 - PyTorch and sentence-transformers raise anything
        return False
    return bool(np.isfinite(vector).all())
