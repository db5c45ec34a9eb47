"""What is compared with what."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..evaluation.datasets import Dataset
from .jobs import CANDIDATES


@dataclass(frozen=True)
class Way:
    """A model, None for the bundled one, what it is loaded with, and its name in tables (default: the folder's)."""

    model: str | None
    backend: str = "auto"
    dtype: str = "auto"
    name: str = ""

    def __str__(self) -> str:
        """The model's name, and what was asked for."""
        return " ".join([self.short_name, *(choice for choice in (self.backend, self.dtype) if choice != "auto")])

    @property
    def short_name(self) -> str:
        """The name of the model in tables."""
        return self.name or (Path(self.model).name if self.model else "bundled")


@dataclass(frozen=True)
class Plan:
    """What is compared: every way of running a model, cut to every dimension and kept in every precision."""

    ways: Sequence[Way]
    data: Sequence[Dataset]
    cache: Path
    truncate_dims: Sequence[int | None] = (None,)
    precisions: Sequence[str] = ("float32",)
    candidates: int = CANDIDATES
    show_progress: bool = False
