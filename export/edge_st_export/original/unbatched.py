"""Originals whose vectors depend on the batch, and which are therefore compared one text at a time.

In sentence-transformers:

- CNN convolves over the padding of a batch.
- CNN and LSTM fail for a batch without a single known word; so does the maximum over word vectors.
- Padding on the left moves a text's positions.
- SparseStaticEmbedding drops a text's own [PAD] tokens where the batch is padded.
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


class Unbatched:
    """``original``, encoding one text at a time."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def encode(self, texts: Sequence[TextOrPair], **options: Any) -> Any:
        """Encode each text as a batch of one; ``precision`` is applied to all vectors together."""
        return self._each(self.original.encode, texts, **options)

    def encode_query(self, texts: Sequence[str], **options: Any) -> Any:
        """Like `encode`."""
        return self._each(self.original.encode_query, texts, **options)

    def encode_document(self, texts: Sequence[str], **options: Any) -> Any:
        """Like `encode`."""
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
    """``original``, `Unbatched` where it has to be, and those of ``texts`` that it encodes with each of ``tasks``."""
    if hasattr(original, "predict"):
        return original, list(texts)
    if any(isinstance(module, CNN | LSTM | WordEmbeddings) for module in original.modules()):
        unbatched = Unbatched(original)
        return unbatched, [text for text in texts if all(_encodes(unbatched, text, task) for task in tasks)]
    sides = {getattr(getattr(module, "tokenizer", None), "padding_side", None) for module in original.modules()}
    batch_matters = "left" in sides or any(isinstance(module, SparseStaticEmbedding) for module in original.modules())
    return (Unbatched(original) if batch_matters else original), list(texts)


def _encodes(original: Unbatched, text: TextOrPair, task: str | None) -> bool:
    """Whether the text has a finite vector: without a known word it has none with some poolings."""
    try:
        (vector,) = original.encode([text], task=task, show_progress_bar=False)
    except Exception:  # noqa: BLE001 - PyTorch and sentence-transformers raise anything
        return False
    return bool(np.isfinite(vector).all())
