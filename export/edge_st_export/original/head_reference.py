"""What the heads of an original give for texts, in PyTorch, one text at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_st_runtime.arrays import Floats

from .head_files import HeadWeights, Linear


@dataclass(frozen=True, eq=False)
class HeadReference:
    """What the original gives for ``texts``, cut to ``limit`` tokens.

    ``dense`` is (texts, dim) float32. ``lexical`` has the weights of each text by token id, ``colbert`` its vectors
    (tokens - 1, width) float32.
    """

    texts: tuple[str, ...]
    limit: int
    dense: Floats
    lexical: tuple[dict[str, float], ...]
    colbert: tuple[Floats, ...]


def head_reference(original: Any, heads: HeadWeights, texts: Sequence[str], limit: int) -> HeadReference:
    """Run ``original``, a model of sentence-transformers, and its ``heads``; None of a head gives empty results.

    Source: FlagEmbedding's EncoderOnlyEmbedderM3ModelForInference and M3Embedder.
    """
    import numpy as np
    import torch

    dense, lexical, colbert = [], [], []
    with torch.inference_mode():
        for text in texts:
            (found,) = original.encode([text], output_value=None, show_progress_bar=False)
            states = found["token_embeddings"].float().cpu()
            dense.append(torch.nn.functional.normalize(states[0], dim=-1).numpy())
            lexical.append(_lexical(states, found["input_ids"].tolist(), heads))
            if heads.colbert is not None:
                vectors = _applied(heads.colbert, states[1:])
                colbert.append(torch.nn.functional.normalize(vectors, dim=-1).numpy())
    return HeadReference(tuple(texts), limit, np.stack(dense), tuple(lexical), tuple(colbert))


def _lexical(states: Any, ids: list[int], heads: HeadWeights) -> dict[str, float]:
    if heads.sparse is None:
        return {}
    weights = _applied(heads.sparse, states).relu()[:, 0].tolist()
    found: dict[str, float] = {}
    for token, weight in zip(ids, weights, strict=True):
        if token not in heads.skipped and weight > 0:
            found[str(token)] = max(weight, found.get(str(token), 0.0))
    return found


def _applied(layer: Linear, states: Any) -> Any:
    import torch

    return torch.nn.functional.linear(states, torch.from_numpy(layer.weight), torch.from_numpy(layer.bias))
