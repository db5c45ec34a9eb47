"""Small random transformers of every kind, and what PyTorch gives for batches that are padded on either side."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines.backend import Backend, EngineOptions, open_backend

LENGTHS = (48, 1, 2, 17)
#: of the largest value
NEAR = 1e-5


def padded(lengths: Sequence[int], side: str, *, holes: bool = True, seed: int = 3) -> TokenBatch:
    """Texts of these ``lengths`` padded on a ``side`` with tokens 1; the first one has ``holes`` in its mask."""
    longest = max(lengths)
    places = np.arange(longest) if side == "right" else np.arange(longest)[::-1]
    mask = (places < np.array(lengths)[:, None]).astype(np.int64)
    ids = np.where(mask == 1, np.random.default_rng(seed).integers(5, 400, mask.shape), 1)
    mask[0, 3:-1:3] *= not holes
    return TokenBatch(ids, mask)


def opened(engine: str, out: Path, *, scores: bool = False) -> Backend:
    return open_backend(engine, out / "onnx/model.onnx", EngineOptions(num_threads=1, scores=scores))


def in_double(folder: Path, batch: TokenBatch, output: str = "last_hidden_state") -> NDArray[np.float64]:
    """The ``output`` of the model's own class in float64: in float32 PyTorch's own rounding is 1e-5 here."""
    name = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"][0]
    model = getattr(transformers, name).from_pretrained(folder, local_files_only=True).double().eval()
    with torch.no_grad():
        found: Any = model(torch.from_numpy(batch.input_ids), attention_mask=torch.from_numpy(batch.attention_mask))
    values: NDArray[np.float64] = found[output].numpy()
    return values


def apart(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """The largest difference, relative to the largest value above 1."""
    assert found.shape == wanted.shape
    return float(np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max()))
