"""Triplets: is an anchor more similar to its positive than to its negative?"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import OptionError
from edge_st_runtime.vectors.similarity import SimilarityFunction

from .embeddings import EmbeddingEvaluator
from .evaluator import Metrics, check_same_length, given
from .input_example import columns


class TripletEvaluator(EmbeddingEvaluator):
    """The share of triplets whose anchor is more similar to the positive than to the negative.

    Triplet i is ``anchors[i]``, ``positives[i]`` and ``negatives[i]``. Anchors are encoded as queries, the others as
    documents. The positive must be more similar by more than
    the ``margin``: a number, or a number for each similarity function.

    Raises InputError for lists of different lengths, OptionError for an unknown similarity function or any other
    margin. Source: sentence-transformers' class of this name.
    """

    #: the similarity functions that can be named
    _names: ClassVar[tuple[str, ...]] = ("cosine", "dot", "manhattan", "euclidean")

    def __init__(
        self,
        anchors: Sequence[str],
        positives: Sequence[str],
        negatives: Sequence[str],
        main_similarity_function: str | SimilarityFunction | None = None,
        margin: float | Mapping[str, float] | None = None,
        name: str = "",
        batch_size: int = 16,
        show_progress_bar: bool = False,
        write_csv: bool = True,
        truncate_dim: int | None = None,
        similarity_fn_names: Sequence[str] | None = None,
        main_distance_function: str | SimilarityFunction | None = "deprecated",
    ) -> None:
        super().__init__(
            "triplet_evaluation",
            name=name,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            write_csv=write_csv,
            truncate_dim=truncate_dim,
        )
        check_same_length(anchors=anchors, positives=positives, negatives=negatives)
        self.anchors, self.positives, self.negatives = anchors, positives, negatives
        if main_distance_function != "deprecated" and main_similarity_function is None:
            main_similarity_function = main_distance_function
        self.main_similarity_function = self._as_main(main_similarity_function)
        self._check_known("similarity_fn_names", "names", similarity_fn_names or ())
        self.similarity_fn_names = self._as_names(similarity_fn_names, self.main_similarity_function)
        self.margin = self._as_margin(margin)

    @classmethod
    def from_input_examples(cls, examples: Iterable[Any], **kwargs: Any) -> Self:
        """Make the evaluator from examples with three ``texts``; ``kwargs`` are the evaluator's other arguments."""
        anchors, positives, negatives = columns(examples, 3)
        return cls(anchors, positives, negatives, **kwargs)

    def __call__(self, model: Any, output_path: str | Path | None = None, epoch: int = -1, steps: int = -1) -> Metrics:
        """``FUNCTION_accuracy``; with several similarity functions also the best as ``max_accuracy``."""
        found = self.similarities(model)
        names = list(found)
        metrics = {
            f"{name}_accuracy": float(np.mean(near > far + self.margin[name])) for name, (near, far) in found.items()
        }
        self.csv_headers = ["epoch", "steps", *(f"accuracy_{name}" for name in names)]
        row = list(metrics.values())
        if len(names) > 1:
            metrics["max_accuracy"] = max(row)
        main = self.main_similarity_function
        self.primary_metric = f"{main.value if main else 'max' if len(names) > 1 else names[0]}_accuracy"
        return self._finish(model, metrics, row, output_path, epoch, steps)

    def similarities(self, model: Any) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
        """The similarity of each anchor to its positive (n,) and its negative (n,), by every similarity function."""
        sides = ((self.anchors, "query"), (self.positives, "document"), (self.negatives, "document"))
        anchors, positives, negatives = (self.embed_inputs(model, texts, kind) for texts, kind in sides)
        names = self.similarity_fn_names or [model.similarity_fn_name]
        return {
            name: (self._pairwise(name, anchors, positives), self._pairwise(name, anchors, negatives)) for name in names
        }

    def get_config_dict(self) -> dict[str, Any]:
        """The settings needed to interpret the metrics."""
        margin = self.margin if any(self.margin.values()) else None
        return {**given(margin=margin), **super().get_config_dict()}

    def _as_margin(self, margin: Any) -> dict[str, float]:
        if isinstance(margin, Mapping):
            self._check_known("margin", "keys", margin)
        if margin is None or isinstance(margin, Mapping):
            return {**dict.fromkeys(self._names, 0), **(margin or {})}
        if isinstance(margin, int | float):
            return dict.fromkeys(self._names, margin)
        raise OptionError(
            f"`margin` should be a float or a dictionary with keys in {list(self._names)}. Got {margin!r}"
        )

    def _check_known(self, option: str, kind: str, names: Iterable[str]) -> None:
        unknown = sorted(set(names) - set(self._names), key=str)
        if unknown:
            raise OptionError(f"`{option}` got unexpected {kind} {unknown}, expected {kind} in {list(self._names)}.")
