"""Whether documents rank as with the original: by the scores of pairs, or by those of token vectors (MaxSim)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st.verification.comparison import FLOAT32_DIFFERENCE, queries_in_order
from edge_st_runtime.arrays import Floats
from edge_st_runtime.vectors.maxsim import maxsim_pairwise
from edge_st_runtime.vectors.parity import rows_of

from ..original.reference import Reference, ReferencePart
from ..original.texts import ranked_pairs


def in_order(found: Sequence[Floats], reference: Reference) -> tuple[int, int]:
    """How many queries rank their documents as the original does, and of how many; (0, 0) without scores.

    ``found`` is for each part of the reference what the model gives.
    """
    first = reference[0]
    if first.counts is not None:
        return _by_token_vectors(found, reference)
    pairs = [text for text in first.texts if not isinstance(text, str)]
    if not pairs or first.embeddings.shape[1] > 1:
        return 0, 0
    scale = max(1.0, float(np.abs(first.embeddings).max()))
    return queries_in_order(pairs, found[0][:, 0], first.embeddings[:, 0], FLOAT32_DIFFERENCE * scale)


def _by_token_vectors(found: Sequence[Floats], reference: Reference) -> tuple[int, int]:
    """The same by the MaxSim of `ranked_pairs`; (0, 0) where the reference does not have them."""
    parts = {part.task: (part, own) for part, own in zip(reference, found, strict=True)}
    queries, documents = (set(parts[task][0].texts) if task in parts else set() for task in ("query", "document"))
    pairs = [(query, document) for query, document in ranked_pairs() if query in queries and document in documents]
    if not pairs:
        return 0, 0
    given, wanted = (_scores(parts, pairs, own=own) for own in (True, False))
    return queries_in_order(pairs, given, wanted, FLOAT32_DIFFERENCE)


def _scores(
    parts: dict[str | None, tuple[ReferencePart, Floats]], pairs: Sequence[tuple[str, str]], *, own: bool
) -> NDArray[Any]:
    """The MaxSim (pairs,) of each query with its document, by the model's ``own`` vectors or by the original's."""
    sides = []
    for place, task in enumerate(("query", "document")):
        part, given = parts[task]
        rows = {text: number for number, text in enumerate(part.texts)}
        vectors = given if own else part.embeddings
        sides.append([vectors[rows_of([rows[pair[place]]], part.counts)] for pair in pairs])
    scores: NDArray[Any] = maxsim_pairwise(*sides)
    return scores

