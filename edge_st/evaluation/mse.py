"""The mean squared error between a model's embeddings and those of its teacher."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_st_runtime.errors import InputError

from .embeddings import EmbeddingEvaluator
from .evaluator import Metrics, check_same_length

_ROWS = 1000


class MSEEvaluator(EmbeddingEvaluator):
    """The mean squared error between a model's embeddings of ``target_sentences`` and the teacher's.

    ``teacher_model`` encodes ``source_sentences``. The metric is the error times -100, so that greater is better.

    Raises InputError for lists of different lengths, and for embeddings of different dimensions. Source:
    sentence-transformers' class of this name.
    """

    def __init__(
        self,
        source_sentences: Sequence[str],
        target_sentences: Sequence[str],
        teacher_model: Any = None,
        show_progress_bar: bool = False,
        batch_size: int = 32,
        name: str = "",
        write_csv: bool = True,
        truncate_dim: int | None = None,
    ) -> None:
        super().__init__(
            "mse_evaluation",
            name=name,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            write_csv=write_csv,
            truncate_dim=truncate_dim,
        )
        check_same_length(source_sentences=source_sentences, target_sentences=target_sentences)
        self.target_sentences = target_sentences
        self.csv_file = f"mse_evaluation_{name}_results.csv"
        self.csv_headers = ["epoch", "steps", "MSE"]
        self.primary_metric = "negative_mse"
        self.source_embeddings = self.embed_inputs(teacher_model, source_sentences)

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """``negative_mse``."""
        error = 100 * self._mean_squared_error(self.embed_inputs(model, self.target_sentences))
        return self._finish(model, {"negative_mse": -error}, [error], output_path, epoch, steps)

    def _mean_squared_error(self, found: Any) -> float:
        wanted = self.source_embeddings
        if found.shape != wanted.shape:
            raise InputError(f"embeddings of shape {found.shape}, the teacher's {wanted.shape}; expected the same")
        total = 0.0
        for start in range(0, len(found), _ROWS):
            block = slice(start, start + _ROWS)
            total += float(np.square(np.asarray(wanted[block]) - np.asarray(found[block])).sum(dtype=np.float64))
        return total / (found.shape[0] * found.shape[1])

    @property
    def description(self) -> str:
        """What is evaluated, in words."""
        return "Knowledge Distillation"
