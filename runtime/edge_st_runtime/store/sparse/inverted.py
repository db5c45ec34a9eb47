"""Exact search of sparse embeddings by dot product, with an inverted index."""

from pathlib import Path

import numpy as np

from ...arrays import Floats, Ids
from ...checks import check_count, described
from ...errors import DamagedFileError, InputError, InputTypeError
from ...vectors.sparse import Sparse, SparseMatrix, SparseVector
from .postings import sort_postings
from .ranking import best_of_each
from .segments import Segmented, Segments

_KIND = "InvertedIndex"


class InvertedIndex(Segmented):
    """An inverted index of sparse embeddings of ``dim`` dimensions, searched exactly by dot product.

    It is in memory; one that was opened from a folder stays in that folder. A document is identified by its position,
    in the order of adding. Several threads may search at once, but not while documents are added. Raises OptionError
    for ``dim`` below 1.
    """

    def __init__(self, dim: int) -> None:
        check_count("dim", dim)
        self.dim = int(dim)
        self._segments = Segments(_KIND, {"dim": self.dim})

    @classmethod
    def open(cls, path: str | Path) -> "InvertedIndex":
        """The index in folder ``path``, memory-mapped. Documents that are added are written to the folder.

        Raises FolderError for a folder without an index, DamagedFileError or MissingFileError for a damaged index.
        """
        segments = Segments.open(path, _KIND)
        dim = segments.fields.count("dim", 1)
        if any(part.terms != dim for part in segments.parts):
            raise DamagedFileError(f"{path} has segments that do not have {dim} dimensions; build the index again")
        index = cls(dim)
        index._segments = segments
        return index

    def add(self, embeddings: Sparse) -> None:
        """Add documents (n, dim). In a folder they are written as one new segment, atomically.

        Raises InputError for another width or values that are not finite, InputTypeError for anything but sparse
        embeddings, FolderError where the folder cannot be written.
        """
        rows = self._matrix(embeddings)
        if len(rows):
            self._segments.append(sort_postings(rows.indices, rows.rows, rows.values, rows.shape))

    def search(self, queries: Sparse, top_k: int = 10) -> tuple[Floats, Ids]:
        """Scores (queries, k) float32 and positions (queries, k) int64 of each query's best documents, best first.

        k is ``top_k``, or the number of documents if that is less. Documents with equal scores are in order of
        position. A document without a dimension of the query has score 0. Raises OptionError for ``top_k`` below 1,
        InputError for another width or values that are not finite, InputTypeError for anything but sparse embeddings.
        """
        rows = self._matrix(queries)
        return best_of_each(map(self._scores, rows), len(rows), len(self), top_k)

    def _scores(self, query: SparseVector) -> Floats:
        scores = np.zeros(len(self), dtype=np.float32)
        terms = list(zip(query.indices.tolist(), query.values, strict=True))
        for place, part in self._segments.starts():
            found = scores[place]
            for term, weight in terms:
                posted = part.of(term)
                found[part.documents[posted]] += weight * part.weights[posted]
        return scores

    def _matrix(self, embeddings: Sparse) -> SparseMatrix:
        if not isinstance(embeddings, SparseVector | SparseMatrix):
            raise InputTypeError(
                f"embeddings are {described(embeddings)}; expected a SparseMatrix: SparseMatrix.from_dense(array)"
            )
        if embeddings.dim != self.dim:
            raise InputError(f"embeddings of {embeddings.dim} dimensions; this index holds {self.dim}")
        if not np.isfinite(embeddings.values).all():
            raise InputError("embeddings hold NaN or an infinity; expected finite numbers: encode the texts again")
        return embeddings if isinstance(embeddings, SparseMatrix) else SparseMatrix.from_rows([embeddings], self.dim)
