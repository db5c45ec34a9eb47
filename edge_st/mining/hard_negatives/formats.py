"""The columns that `mine_hard_negatives` returns."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import OptionError

from .candidates import Chosen
from .data import Pairs
from .selection import Selection

logger = logging.getLogger(__name__)
Table: TypeAlias = dict[str, list[Any]]
_OUTPUT_FORMATS = ("triplet", "n-tuple", "labeled-pair", "labeled-list")


@dataclass(frozen=True)
class Format:
    """One of the output formats, with scores or labels, for up to ``negatives`` negatives of a query."""

    name: str
    scores: bool
    negatives: int

    @property
    def columns(self) -> list[str]:
        """The names of the columns after the query and the positive (or text)."""
        if self.name == "labeled-pair":
            return ["score" if self.scores else "label"]
        if self.name == "labeled-list":
            return ["scores" if self.scores else "labels"]
        negatives = [f"negative_{place + 1}" for place in range(self.negatives)]
        return (["negative"] if self.name == "triplet" else negatives) + (["scores"] if self.scores else [])

    def check_columns(self, anchor: str, positive: str) -> None:
        """Raise OptionError where an added column would have the name of one of these."""
        taken = {anchor, positive}.intersection(self.columns)
        if taken:
            raise OptionError(
                f"the column {taken.pop()!r} has the name of one that output_format={self.name!r} adds; rename it"
            )

    def kept(self, pairs: Pairs, chosen: Chosen) -> NDArray[np.bool_]:
        """Which negatives (pairs, negatives) are in the table: all that were found, but no incomplete n-tuples."""
        found = chosen.scores[pairs.owners] > -np.inf
        return found & found.all(axis=1, keepdims=True) if self.name == "n-tuple" else found

    def max_rows(self, pairs: Pairs) -> int:
        """The rows that the table has if all negatives of every query are found."""
        if self.name == "labeled-pair":
            return len(pairs.queries) * self.negatives + pairs.rows
        return len(pairs.owners) * (self.negatives if self.name == "triplet" else 1)


def resolve_format(output_format: str, scores: bool, as_triplets: bool | None, selection: Selection) -> Format:
    """The format that the arguments ask for; raises OptionError for an unknown one, warns of older names."""
    if as_triplets is not None:
        output_format = "triplet" if as_triplets else "n-tuple"
        logger.warning("as_triplets is deprecated; use output_format, which is now %r", output_format)
    if selection.include_positives and selection.may_lose_positives:
        logger.warning(
            "When using `include_positives=True`, updating `range_min`, `range_max`, `max_score`, `min_score`, "
            "`absolute_margin`, `relative_margin`, or `sampling_strategy` from the default values may still discard "
            "the positive values."
        )
    if selection.include_positives and output_format != "n-tuple":
        logger.warning(
            'When using `include_positives=True`, `output_format` will be set to `"n-tuple"` to ensure that the '
            "ranking order is preserved."
        )
        output_format = "n-tuple"
    if output_format == "n-tuple-scores":
        logger.warning("output_format='n-tuple-scores' is deprecated; use 'n-tuple' with output_scores=True")
        output_format, scores = "n-tuple", True
    if output_format not in _OUTPUT_FORMATS:
        raise OptionError(
            f"Invalid output_format: {output_format!r}. Must be one of {', '.join(map(repr, _OUTPUT_FORMATS))}"
        )
    return Format(output_format, bool(scores), selection.num_negatives)


@dataclass(frozen=True, eq=False)
class _Rows:
    """One item for each pair: query, positive and its score, and the texts and scores of the negatives in the table."""

    owners: list[int]
    queries: list[str]
    positives: list[str]
    positive_scores: list[float]
    negatives: list[list[str]]
    scores: list[list[float]]


def table(form: Format, pairs: Pairs, chosen: Chosen) -> Table:
    """The mined pairs and negatives as the columns of ``form``, by name."""
    kept = form.kept(pairs, chosen).tolist()
    ids, scores = chosen.ids[pairs.owners].tolist(), chosen.scores[pairs.owners].tolist()
    rows = _Rows(
        owners=pairs.owners.tolist(),
        queries=[pairs.queries[owner] for owner in pairs.owners.tolist()],
        positives=[pairs.corpus[text] for text in pairs.texts.tolist()],
        positive_scores=chosen.positive_scores.tolist(),
        negatives=[[pairs.corpus[text] for text in compress(*row)] for row in zip(ids, kept, strict=True)],
        scores=[list(compress(*row)) for row in zip(scores, kept, strict=True)],
    )
    found = _TABLES[form.name](rows, form.scores)
    names = [pairs.anchor, pairs.positive, *form.columns]
    columns = zip(*found, strict=True) if found else [[] for _ in names]
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def _triplets(rows: _Rows, with_scores: bool) -> list[tuple[Any, ...]]:
    return [
        (query, positive, negative, *([[positive_score, score]] if with_scores else []))
        for query, positive, positive_score, negatives, scores in _each(rows)
        for negative, score in zip(negatives, scores, strict=True)
    ]


def _tuples(rows: _Rows, with_scores: bool) -> list[tuple[Any, ...]]:
    return [
        (query, positive, *negatives, *([[positive_score, *scores]] if with_scores else []))
        for query, positive, positive_score, negatives, scores in _each(rows)
        if negatives
    ]


def _labeled_lists(rows: _Rows, with_scores: bool) -> list[tuple[Any, ...]]:
    return [
        (query, [positive, *negatives], [positive_score, *scores] if with_scores else [1] + [0] * len(negatives))
        for query, positive, positive_score, negatives, scores in _each(rows)
        if negatives
    ]


def _labeled_pairs(rows: _Rows, with_scores: bool) -> list[tuple[Any, ...]]:
    """The rows of all positives of a query, then those of its negatives."""
    found: list[tuple[Any, ...]] = []
    for place, (query, positive, positive_score, negatives, scores) in enumerate(_each(rows)):
        found.append((query, positive, positive_score if with_scores else 1))
        if rows.owners[place] not in rows.owners[place + 1 : place + 2]:
            labels = scores if with_scores else [0] * len(negatives)
            found += [(query, negative, label) for negative, label in zip(negatives, labels, strict=True)]
    return found


def _each(rows: _Rows) -> Any:
    parts = (rows.queries, rows.positives, rows.positive_scores, rows.negatives, rows.scores)
    return zip(*parts, strict=True)


_TABLES: Mapping[str, Callable[[_Rows, bool], list[tuple[Any, ...]]]] = {
    "triplet": _triplets,
    "n-tuple": _tuples,
    "labeled-pair": _labeled_pairs,
    "labeled-list": _labeled_lists,
}
