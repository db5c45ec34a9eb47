"""Whether documents rank as with the original: by the scores of pairs, or by those of token vectors (MaxSim)."""

from collections.abc import Sequence

import numpy as np

from edge_st.verification.comparison import FLOAT32_DIFFERENCE, queries_in_order
from edge_st_runtime.arrays import Floats
from edge_st_runtime.vectors.maxsim import maxsim_pairwise
from edge_st_runtime.vectors.parity import rows_of

from ..original.reference import Reference, ReferencePart
from ..original.texts import ranked_pairs

_TASKS = ("query", "document")


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
    queries, documents = (set(parts[task][0].texts) if task in parts else set() for task in _TASKS)
    pairs = [(query, document) for query, document in ranked_pairs() if query in queries and document in documents]
    if not pairs:
        return 0, 0
    asked, answers = zip(*pairs, strict=True)
    (query, of_queries), (document, of_documents) = (parts[task] for task in _TASKS)
    given = maxsim_pairwise(_vectors(query, of_queries, asked), _vectors(document, of_documents, answers))
    wanted = maxsim_pairwise(_vectors(query, query.embeddings, asked), _vectors(document, document.embeddings, answers))
    return queries_in_order(pairs, given, wanted, FLOAT32_DIFFERENCE)


def _vectors(part: ReferencePart, rows: Floats, texts: Sequence[str]) -> list[Floats]:
    """The token vectors (tokens, dim) of each of ``texts`` out of the ``rows`` of all texts of the part."""
    places = {text: place for place, text in enumerate(part.texts)}
    return [rows[rows_of([places[text]], part.counts)] for text in texts]
