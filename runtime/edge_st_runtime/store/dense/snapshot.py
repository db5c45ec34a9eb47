"""The search of dense vectors in the content of an index at one moment."""

import numpy as np

from ...arrays import Floats, Ids
from ...search.codes import PRECISIONS
from ...search.scan import Part, rescored, scan
from ...vectors.similarity import FUNCTIONS, Similarity, SimilarityFunction
from ..rows.snapshot import EVERY_ROW, SearchOptions, Snapshot
from .layout import DenseLayout, DenseVectors

_SPARE = 16  # further candidates, for rows whose exact scores equal that of the last


class VectorSnapshot(Snapshot[DenseLayout, DenseVectors]):
    """A `Snapshot` of rows with a dense vector each."""

    def search(
        self, queries: Floats, top_k: int, similarity: SimilarityFunction, wanted: SearchOptions = EVERY_ROW
    ) -> tuple[Floats, Ids]:
        """Scores (queries, k) float32 and rows (queries, k) int64 of each query's best rows, best first.

        k is ``top_k``, or the number of rows if that is less. Where fewer rows are found, the rest is filled with minus
        infinity and -1.
        """
        top_k = min(top_k, len(self))
        every_pair, pairwise = FUNCTIONS[similarity]
        candidates = self._candidates(queries, top_k, every_pair, wanted)
        return rescored(queries, candidates, self.vectors, top_k, pairwise, wanted.threshold)

    def _candidates(self, queries: Floats, top_k: int, similarity: Similarity, wanted: SearchOptions) -> Ids:
        rows = self.few(wanted)
        if rows is not None:
            return np.broadcast_to(rows, (len(queries), len(rows)))
        parts = [
            Part(segment.vectors.codes, start, self.allowed(segment, start, wanted)) for segment, start in self.numbered
        ]
        count = wanted.candidates or PRECISIONS[self.layout.precision].candidates(top_k)
        return scan(parts, queries, min(count + _SPARE, len(self)), similarity)

    def vectors(self, rows: Ids) -> Floats:
        """The vectors (n, dim) of ``rows`` (n,), decoded from the finest stored precision."""
        if len(self.segments) == 1:
            return self.segments[0].vectors.finest.vectors(rows)
        found = np.empty((len(rows), self.layout.dim), dtype=np.float32)
        for segment, here, local in self.by_segment(rows):
            found[here] = segment.vectors.finest.vectors(local)
        return found
