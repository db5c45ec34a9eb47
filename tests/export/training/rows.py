"""What the losses are trained on: columns of texts at hand, by the names that sentence-transformers documents."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from edge_st_export.original.texts import questions

Columns: TypeAlias = Mapping[str, list[Any]]

PASSAGES = [passage for passage, _ in questions()]
QUERIES = [queries[0] for _, queries in questions()]
#: of each query, a passage that does not answer it
OTHERS = PASSAGES[1:] + PASSAGES[:1]
_HALF = len(PASSAGES) // 2
_RANDOM = np.random.default_rng(3)

PAIRS: Columns = {"anchor": QUERIES, "positive": PASSAGES}
TRIPLETS: Columns = {**PAIRS, "negative": OTHERS}
_MATCHED: Columns = {"sentence1": QUERIES, "sentence2": PASSAGES[:_HALF] + OTHERS[_HALF:]}
_RIGHT = [int(row < _HALF) for row in range(len(QUERIES))]
LABELLED: Columns = {**_MATCHED, "label": _RIGHT}
SCORED: Columns = {**_MATCHED, "score": [float(label) for label in _RIGHT]}
CLASSES: Columns = {**_MATCHED, "label": [row % 3 for row in range(len(QUERIES))]}
MARGINS: Columns = {**TRIPLETS, "label": _RANDOM.uniform(1, 5, len(QUERIES)).tolist()}
TEACHER_SCORES: Columns = {**TRIPLETS, "label": _RANDOM.uniform(0, 5, (len(QUERIES), 2)).tolist()}
LISTS: Columns = {
    "query": QUERIES,
    "docs": [list(docs) for docs in zip(PASSAGES, OTHERS, strict=True)],
    "labels": [[1.0, 0.0]] * len(QUERIES),
}


def distilled(teacher: Any) -> Columns:
    """Passages with the vectors that ``teacher`` gives for their queries."""
    return {"sentence": PASSAGES, "label": teacher.encode(QUERIES).tolist()}


def translated(teacher: Any) -> Columns:
    """Two texts that are to have the vector that ``teacher`` gives for the first, as a text and its translation."""
    return {"english": PASSAGES, "non_english": QUERIES, "label": teacher.encode(PASSAGES).tolist()}
