"""What users lose by int8: measured on ordinary texts, against the float32 variant of the same model."""

from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st.verification.outputs import plain_output
from edge_st_runtime.arrays import Floats
from edge_st_runtime.model.classes import CROSS_ENCODER
from edge_st_runtime.vectors.parity import correlations, cosines

from ..original.texts import ORDINARY, questions, ranked_pairs

_LOW = 1  # per cent of the texts are below `Quality.cosine_p1`


@dataclass(frozen=True)
class Quality:
    """What a variant keeps of the float32 one.

    ``cosine_mean`` and ``cosine_p1`` are the mean and the 1st percentile of the texts' cosines. For a model that scores
    pairs they are over its labels: the correlation of a label's scores. ``agreement`` is the share of the queries that
    have the same passage in the first place. For a classifier it is the share of the pairs with the same label.
    """

    cosine_mean: float
    cosine_p1: float
    agreement: float

    def __str__(self) -> str:
        return f"cosine {self.cosine_mean:.5f}, p1 {self.cosine_p1:.4f}, agreement {self.agreement:.4f}"

    def entry(self) -> dict[str, float]:
        """The measurements by name."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class _Given:
    """What a variant gives: ``rows`` to compare, and what each query or pair has in the first place."""

    rows: tuple[Floats, ...]
    first: NDArray[np.int64]


class Standard:
    """What the float32 variant ``model`` gives for ordinary texts; ``tasks`` are those that it distinguishes."""

    def __init__(self, model: Any, model_type: str, tasks: list[str | None]) -> None:
        self._scores = model_type == CROSS_ENCODER
        self._query, self._document = (name if name in tasks else tasks[0] for name in ("query", "document"))
        self._wanted = self._given(model)

    def quality(self, model: Any) -> Quality:
        """How much ``model`` keeps."""
        given, near = self._given(model), correlations if self._scores else cosines
        compared = zip(given.rows, self._wanted.rows, strict=True)
        found = np.concatenate([near(rows, wanted) for rows, wanted in compared])
        same = given.first == self._wanted.first
        return Quality(float(found.mean()), float(np.percentile(found, _LOW)), float(same.mean()))

    def _given(self, model: Any) -> _Given:
        return _scored(model) if self._scores else self._encoded(model)

    def _encoded(self, model: Any) -> _Given:
        passages = [passage for passage, _ in questions()]
        queries = [query for _, asked in questions() for query in asked]
        asked = plain_output(model, queries, None, self._query)
        documents = plain_output(model, [*passages, *ORDINARY], None, self._document)
        found = np.asarray(model.similarity(asked, documents[: len(passages)]))
        return _Given((asked, documents), found.argmax(axis=1))


def _scored(model: Any) -> _Given:
    pairs = ranked_pairs()
    logits = plain_output(model, list(pairs), None, None)
    if logits.shape[1] > 1:
        return _Given((logits,), logits.argmax(axis=1))
    counts = [len(list(group)) for _, group in groupby(pairs, key=lambda pair: pair[0])]
    scores = np.split(logits[:, 0], np.cumsum(counts)[:-1])
    return _Given((logits,), np.array([each.argmax() for each in scores]))
