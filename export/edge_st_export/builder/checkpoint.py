"""The weights of a transformer by name, in whatever files, precision and prefix they are stored."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import EXPORT, DamagedFileError, MissingFileError, UnsupportedModelError
from edge_st_runtime.files.reading import inside, read_json, reading
from edge_st_runtime.files.weights import read_safetensors

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
#: TensorFlow's names for the parameters of LayerNorm → PyTorch's; transformers reads both
_OLD_ENDINGS = {".gamma": ".weight", ".beta": ".bias"}


class Checkpoint:
    """The tensors of one or several safetensors files, which are memory-mapped; bfloat16 is converted at once.

    ``prefix``, such as "bert.", is what models with a head put before the names of the encoder's weights.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        files = [inside(folder, name) for name in checkpoint_files(folder)]
        self._tensors = {_modern(name): tensor for file in files for name, tensor in read_safetensors(file).items()}
        self._missing: dict[str, None] = {}

    def check_complete(self) -> None:
        """Raise MissingFileError with the names of all tensors that were asked for and are missing, if any."""
        if self._missing:
            raise MissingFileError(
                f"the weights in {self._folder} lack {', '.join(self._missing)} (with or without {self._prefix!r} "
                f"before it); found {len(self._tensors)} others. Download the whole model again, or try: edge-st export"
            )

    def first_of(self, *names: str) -> str:
        """The first of ``names`` that a tensor is stored under; the first of all where there is none."""
        return next((name for name in names if self._place(name) is not None), names[0])

    def rows(self, name: str) -> int:
        """The size of a tensor's first axis; raises MissingFileError with the names of all that are missing so far."""
        stored = self._find(name)
        if stored is None or not stored.ndim:
            self.check_complete()
            raise DamagedFileError(f"{name} in {self._folder} is a single number; expected a matrix")
        return stored.shape[0]

    def get(self, name: str, shape: tuple[int, ...]) -> Floats:
        """The tensor in float32; zeros for a missing one, which `check_complete` then names with all others.

        Raises DamagedFileError for another shape, UnsupportedModelError for integers.
        """
        stored = self._find(name)
        if stored is None:
            return np.zeros(shape, np.float32)
        if stored.shape != shape:
            raise DamagedFileError(
                f"{name} in {self._folder} is {stored.shape}; by config.json and the other weights it must be {shape}"
            )
        if stored.dtype.kind != "f":
            raise UnsupportedModelError(
                f"{name} in {self._folder} is stored as {stored.dtype}; expected floating-point weights. "
                "Give the model that was not quantized"
            )
        return np.asarray(stored, dtype=np.float32)

    def _place(self, name: str) -> str | None:
        return next((each for each in (f"{self._prefix}{name}", name) if each in self._tensors), None)

    def _find(self, name: str) -> NDArray[Any] | None:
        found = self._place(name)
        if found is None:
            self._missing[name] = None
        return None if found is None else self._tensors[found]


def checkpoint_files(folder: Path) -> list[str]:
    """The names of the safetensors files in ``folder``; raises MissingFileError if there is none."""
    if (folder / SINGLE_FILE).is_file():
        return [SINGLE_FILE]
    if not (folder / INDEX_FILE).is_file():
        raise MissingFileError(
            f"{folder} has no {SINGLE_FILE}, and no other format of weights is read here; "
            f"export a model with pytorch_model.bin {EXPORT}"
        )
    return shards(folder / INDEX_FILE)


def shards(index: Path) -> list[str]:
    """The files that the index at ``index`` names; raises DamagedFileError."""
    with reading(index):
        places: Mapping[str, str] = read_json(index)["weight_map"]
        return sorted(set(places.values()))


def _modern(name: str) -> str:
    ending = next((old for old in _OLD_ENDINGS if name.endswith(f"LayerNorm{old}")), None)
    return name if ending is None else name.removesuffix(ending) + _OLD_ENDINGS[ending]
