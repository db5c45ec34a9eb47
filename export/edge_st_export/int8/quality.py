"""What users lose by int8: measured on ordinary texts, against the float32 variant of the same model."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st.verification.outputs import gives_tokens, plain_output
from edge_st_runtime.arrays import Floats
from edge_st_runtime.model.classes import CROSS_ENCODER
from edge_st_runtime.vectors.parity import correlations, cosines

from ..original.texts import ORDINARY, questions, ranked_pairs

_LOW = 1  # per cent of the texts are below `Quality.cosine_p1`


@dataclass(frozen=True)
class Quality:
    """What a variant keeps of the float32 one.

    ``cosine_mean`` and ``cosine_p1`` are the mean and the 1st percentile of the texts' cosines, or of the tokens' where
    these have vectors. For a model that scores pairs they are over its labels: the correlation of a label's scores.
    ``agreement`` is the share of the queries that have the same passage in the first place. For a classifier it is the
    share of the pairs with the same label.
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
    """What the float32 variant ``model`` gives for ordinary texts; ``tasks`` are those that it distinguishes.

    ``every`` 5 takes a fifth of the passages and their queries, to compare sooner.
    """

    def __init__(self, model: Any, model_type: str, tasks: list[str | None], every: int = 1) -> None:
        self._scores = model_type == CROSS_ENCODER
        self._passages = [passage for passage, _ in questions()[::every]]
        self._queries = [query for _, asked in questions()[::every] for query in asked]
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
        return self._scored(model) if self._scores else self._encoded(model)

    def _encoded(self, model: Any) -> _Given:
        if gives_tokens(model):
            return self._encoded_tokens(model)
        asked = plain_output(model, self._queries, None, self._query)
        documents = plain_output(model, [*self._passages, *ORDINARY], None, self._document)
        found = np.asarray(model.similarity(asked, documents[: len(self._passages)]))
        return _Given((asked, documents), found.argmax(axis=1))

    def _encoded_tokens(self, model: Any) -> _Given:
        asked = model.encode_query(self._queries, show_progress_bar=False)
        documents = model.encode_document([*self._passages, *ORDINARY], show_progress_bar=False)
        found = np.asarray(model.similarity(asked, documents[: len(self._passages)]))
        return _Given((np.concatenate(asked), np.concatenate(documents)), found.argmax(axis=1))

    def _scored(self, model: Any) -> _Given:
        pairs = [pair for pair in ranked_pairs() if pair[0] in self._queries]
        logits = plain_output(model, pairs, None, None)
        if logits.shape[1] > 1:
            return _Given((logits,), logits.argmax(axis=1))
        scores = logits[:, 0].reshape(len(self._queries), -1)
        return _Given((logits,), scores.argmax(axis=1))
