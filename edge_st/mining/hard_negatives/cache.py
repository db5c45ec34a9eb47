"""Embeddings in files, so that the next call of `mine_hard_negatives` need not encode the same texts again."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import DamagedFileError, OptionError
from edge_st_runtime.files.writing import replacing

from .encoding import Prompt


def cache_file(folder: str | None, model: Any, kind: str, texts: Sequence[str], prompt: Prompt) -> Path | None:
    """The file in ``folder`` for what ``model`` makes of ``texts``; None where there is no cache folder.

    Raises OptionError for a model without a fingerprint.
    """
    if folder is None:
        return None
    fingerprint = getattr(model, "fingerprint", None)
    if fingerprint is None:
        raise OptionError(f"cache_folder needs a model with a fingerprint; {type(model).__name__} has none")
    key = repr((fingerprint, getattr(model, "truncate_dim", None), texts, prompt.name, prompt.text))
    digest = hashlib.sha256(key.encode(), usedforsecurity=False).hexdigest()
    return Path(folder) / f"{kind}_embeddings_{digest}.npy"


def read_embeddings(file: Path, count: int, *, verbose: bool) -> NDArray[Any] | None:
    """The ``count`` embeddings in ``file``, None where there is no such file.

    Raises DamagedFileError for a file that is not an array of this shape.
    """
    if not file.is_file():
        return None
    try:
        vectors: NDArray[Any] = np.load(file)
    except (ValueError, EOFError, OSError) as error:
        raise DamagedFileError(f"{file} cannot be read ({error}); remove it and call again") from error
    if vectors.ndim != 2 or len(vectors) != count:
        raise DamagedFileError(f"{file} is of shape {vectors.shape}; expected {count} rows: remove it and call again")
    if verbose:
        print(f"[Cache] Loaded embeddings from {file} (shape={vectors.shape})")
    return vectors


def write_embeddings(file: Path, vectors: NDArray[Any], *, verbose: bool) -> None:
    """Write ``vectors`` to ``file``, all at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part, part.open("wb") as opened:
        np.save(opened, vectors)
    if verbose:
        print(f"[Cache] Saved embeddings to {file}")
