"""Outputs of models, kept in a folder, so that an interrupted comparison continues where it stopped."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from edge_st_runtime.arrays import Floats
from edge_st_runtime.files.writing import replacing
from edge_st_runtime.machine.local_cache import cache_folder
from edge_st_runtime.vectors.sparse import SparseMatrix

from .inputs import Inputs
from .random_pairs import Pair

#: embeddings (n, dim), n token vectors (tokens, dim), or scores of pairs (n,)
Outputs: TypeAlias = Floats | SparseMatrix | list[Floats]
#: how many texts, or pairs of texts, are computed before their outputs are written
PORTION, PAIR_PORTION = 512, 128


@dataclass(frozen=True)
class Portion:
    """A model's outputs for some texts, the seconds they took, and the process' peak memory by then, in bytes."""

    outputs: Outputs
    seconds: float
    peak_memory: int


class Cache:
    """The outputs of one model as it is run; ``identity`` is different for every other model, engine and dtype."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder / hashlib.sha256(identity.encode()).hexdigest()[:32]

    def portions(
        self, inputs: Inputs, compute: Callable[[Sequence[str | Pair]], Portion] | None = None
    ) -> Iterator[Portion]:
        """The portions of the outputs in order; one that is missing or damaged is computed and kept.

        Raises KeyError for such a portion where there is no ``compute``.
        """
        size = PAIR_PORTION if inputs.side == "pair" else PORTION
        for start in range(0, len(inputs.texts), size):
            texts = inputs.texts[start : start + size]
            path = self._folder / f"{inputs.side}-{_digest(texts)}.npz"
            found = _read(path)
            if found is None:
                if compute is None:
                    raise KeyError(str(path))
                found = compute(texts)
                self._folder.mkdir(parents=True, exist_ok=True)
                _write(path, found)
            yield found


def default_folder() -> Path:
    """The folder for outputs where none is named: below XDG_CACHE_HOME, or ~/.cache."""
    return cache_folder("eval")


def joined(parts: Sequence[Outputs]) -> Outputs:
    """Several outputs of the same width as one, row after row."""
    if isinstance(parts[0], SparseMatrix):
        return SparseMatrix.concatenate([part for part in parts if isinstance(part, SparseMatrix)])
    if isinstance(parts[0], list):
        return [each for part in parts if isinstance(part, list) for each in part]
    return np.concatenate([np.asarray(part) for part in parts])


def _digest(texts: Sequence[str | Pair]) -> str:
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()[:32]


def _write(path: Path, portion: Portion) -> None:
    arrays = _arrays(portion.outputs)
    with replacing(path) as part, part.open("xb") as file:
        np.savez(file, seconds=portion.seconds, peak_memory=portion.peak_memory, **arrays)


def _arrays(outputs: Outputs) -> dict[str, Any]:
    if isinstance(outputs, SparseMatrix):
        return {"indptr": outputs.indptr, "indices": outputs.indices, "values": outputs.values, "dim": outputs.dim}
    if isinstance(outputs, list):
        return {"tokens": np.concatenate(outputs), "lengths": [len(each) for each in outputs]}
    return {"dense": outputs}


def _read(path: Path) -> Portion | None:
    try:
        with np.load(path) as found:
            seconds, peak = float(found["seconds"]), int(found["peak_memory"])
            if "dense" in found:
                return Portion(found["dense"], seconds, peak)
            if "tokens" in found:
                return Portion(np.split(found["tokens"], np.cumsum(found["lengths"])[:-1]), seconds, peak)
            sparse = SparseMatrix(found["indptr"], found["indices"], found["values"], int(found["dim"]))
            return Portion(sparse, seconds, peak)
    except Exception:  # noqa: BLE001 - whatever a missing or damaged archive makes NumPy raise
        return None
