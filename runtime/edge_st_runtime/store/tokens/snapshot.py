"""The search of token vectors in the content of an index at one moment."""

from collections.abc import Sequence

import numpy as np

from ...arrays import Floats, Ids
from ...search.best import NO_ROW
from ...search.late.finding import Part, find
from ..rows.snapshot import EVERY_ROW, SearchOptions, Snapshot
from .layout import TokenLayout, TokenVectors


class TokenSnapshot(Snapshot[TokenLayout, TokenVectors]):
    """A `Snapshot` of rows with a vector for each of their tokens."""

    def search(
        self, queries: Sequence[Floats], top_k: int, wanted: SearchOptions = EVERY_ROW, *, mean: bool = False
    ) -> tuple[Floats, Ids]:
        """Scores (queries, k) float32 and rows (queries, k) int64 of each query's best rows, best first.

        A query is an array (tokens, dim). The score is MaxSim of the stored vectors; with ``mean`` it is divided by the
        number of the query's tokens. k is ``top_k``, or the number of rows if that is less. Where fewer rows are found,
        the rest is filled with minus infinity and -1. A query or a row without a token finds nothing and is not found.
        """
        top_k = min(top_k, len(self))
        rows = self.few(wanted)
        parts = []
        for segment, start in self.numbered:
            vectors = segment.vectors
            if vectors.codec is None or vectors.postings is None:
                continue
            allowed = self.allowed(segment, start, wanted if rows is None else SearchOptions(rows=rows))
            parts.append(Part(vectors.codec, vectors.columns, vectors.ends, vectors.postings, start, allowed))
        scores, found = find(queries, parts, top_k, wanted.candidates)
        if mean:
            scores /= np.array([max(1, len(query)) for query in queries], dtype=np.float32)[:, None]
        if wanted.threshold is not None:
            low = scores < np.float32(wanted.threshold)
            scores[low], found[low] = -np.inf, NO_ROW
        return scores, found
