"""What is to be compared: models, data sets, and how embeddings are truncated and quantized."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..evaluation.datasets import Dataset
from .inputs import CANDIDATES


@dataclass(frozen=True)
class ModelConfiguration:
    """A model and the options that it is loaded with.

    ``model`` is None for the bundled model. ``name`` is the model's name in tables, by default that of its folder.
    """

    model: str | None
    backend: str = "auto"
    dtype: str = "auto"
    name: str = ""

    def __str__(self) -> str:
        """The model's name, then the backend and the dtype that were asked for."""
        return " ".join([self.short_name, *(choice for choice in (self.backend, self.dtype) if choice != "auto")])

    @property
    def short_name(self) -> str:
        """The model's name in tables."""
        return self.name or (Path(self.model).name if self.model else "bundled")


@dataclass(frozen=True)
class Plan:
    """Every configuration, truncation and precision is measured on every data set.

    Outputs of the models are kept in the folder ``cache``. ``candidates`` is the number of documents that a
    cross-encoder ranks for each query of a retrieval set.
    """

    configurations: Sequence[ModelConfiguration]
    data: Sequence[Dataset]
    cache: Path
    truncate_dims: Sequence[int | None] = (None,)
    precisions: Sequence[str] = ("float32",)
    candidates: int = CANDIDATES
    show_progress: bool = False
