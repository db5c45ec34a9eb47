"""Token vectors as the output of a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from edge_st_runtime.arrays import Floats
from edge_st_runtime.engines.signature import TOKEN_EMBEDDINGS
from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.repeats import Distinct
from edge_st_runtime.modules.specs import Features
from edge_st_runtime.modules.token_mask import TASK
from edge_st_runtime.modules.token_pooling import BaseTokenPooling
from edge_st_runtime.vectors.dense import normalize

from .outputs import Advance, Batches, Output, joined_values


@dataclass(frozen=True)
class _OfTokens(Output):
    """What multi-vector models give: a value for each text, whose vectors are ``pooled`` where that is not None."""

    needs_tokens: ClassVar[bool] = True
    keeps_tokens: ClassVar[bool] = True
    checked: ClassVar[tuple[str, ...]] = (TOKEN_EMBEDDINGS,)
    task: str | None = None
    pooling: BaseTokenPooling | None = None

    @property
    def extra(self) -> Mapping[str, Any]:
        """The task, by which modules tell queries from documents."""
        return {TASK: self.task}

    def gather(self, batches: Batches, distinct: Distinct, advance: Advance) -> list[Any]:
        """Those of all texts."""
        return joined_values(batches, distinct, advance)

    def empty(self, width: int) -> list[Any]:  # noqa: ARG002 - a list has no width
        """[]."""
        return []


@dataclass(frozen=True)
class TokenVectors(_OfTokens):
    """A list of token vectors (tokens, dim) float32: those that are scored, with ``normalize`` of unit length."""

    normalize: bool = False

    def select(self, features: Features) -> Sequence[Floats]:
        """Those of a batch."""
        rows = zip(features[TOKEN_EMBEDDINGS], features["attention_mask"].astype(bool), strict=True)
        found = [vectors[own] for vectors, own in rows]
        if self.normalize:
            found = [normalize(vectors) for vectors in found]
        return found if self.pooling is None else self.pooling.pool(found, task=self.task)


@dataclass(frozen=True)
class AllTokenFeatures(_OfTokens):
    """A list of dictionaries with every feature of a text, as long as the longest text of its batch."""

    keeps_types: ClassVar[bool] = True

    def select(self, features: Features) -> list[dict[str, Any]]:
        """Those of a batch."""
        found = features if self.pooling is None else self.pooling(features)
        rows: list[dict[str, Any]] = [{"modality": "text"} for _ in found["attention_mask"]]
        for name, values in found.items():
            for place, row in enumerate(rows):
                row[name] = values[place] if isinstance(values, np.ndarray) else values
        return [{name: value for name, value in row.items() if name != TASK} for row in rows]


def token_output(output_value: str | None, task: str | None, pooling: Any, *, normalize: bool) -> Output:
    """What `MultiVectorEncoder.encode` gives for its arguments of these names; raises OptionError."""
    if pooling is not None and not isinstance(pooling, BaseTokenPooling):
        raise OptionError(f"token_pooling is {pooling!r}; expected a HierarchicalTokenPooling or a LambdaTokenPooling")
    if output_value == TOKEN_EMBEDDINGS:
        return TokenVectors(task, pooling, normalize)
    if output_value is None:
        return AllTokenFeatures(task, pooling)
    raise OptionError(
        f'output_value must be "token_embeddings" or None (raw per-input feature dicts), got {output_value!r}.'
    )
