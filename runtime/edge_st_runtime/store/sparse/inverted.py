"""Exact search of sparse embeddings: the dot product of each query with every document, from an inverted index."""

from pathlib import Path

import numpy as np

from ...arrays import Floats, Ids
from ...checks import check_count
from ...errors import DamagedFileError, InputError, InputTypeError
from ...vectors.sparse import Sparse, SparseMatrix, SparseVector
from .postings import best_of_each, sort_postings
from .segments import Segmented, Segments

_KIND = "InvertedIndex"


class InvertedIndex(Segmented):
    """Sparse documents of ``dim`` dimensions by dimension, in memory or, once opened from one, in a folder.

    A document is known by its position, in the order of adding. Searches may run in several threads, but not while
    documents are added. Raises OptionError for ``dim`` below 1.
    """

    def __init__(self, dim: int) -> None:
        check_count("dim", dim)
        self.dim = int(dim)
        self._segments = Segments(_KIND, {"dim": self.dim})

    @classmethod
    def open(cls, path: str | Path) -> "InvertedIndex":
        """The index in folder ``path``, memory-mapped; what is added goes to the folder.

        Raises FolderError for a folder that holds none, DamagedFileError or MissingFileError for a damaged one.
        """
        segments = Segments.open(path, _KIND)
        dim = segments.settings.get("dim")
        if not isinstance(dim, int) or any(part.terms != dim for part in segments.parts):
            raise DamagedFileError(f"{path} has segments that are not of {dim} dimensions; build the index again")
        index = cls(dim)
        index._segments = segments
        return index

    def add(self, embeddings: Sparse) -> None:
        """Append documents (n, dim), in a folder as a new segment that is there whole or not at all.

        Raises InputError for another width or values that are not finite, FolderError where it cannot be written.
        """
        rows = self._matrix(embeddings)
        if len(rows):
            self._segments.append(sort_postings(rows.indices, rows.rows, rows.values, rows.shape))

    def search(self, queries: Sparse, top_k: int = 10) -> tuple[Floats, Ids]:
        """Scores (queries, k) float32 and positions (queries, k) int64 of each query's best documents, best first.

        k is ``top_k``, or the number of documents where that is less. Equal scores are in order of position; documents
        that share no dimension with the query have score 0. Raises OptionError for ``top_k`` below 1, InputError for
        another width or values that are not finite, InputTypeError for what is not sparse.
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
                f"embeddings are {type(embeddings).__name__}; expected a SparseMatrix: SparseMatrix.from_dense(array)"
            )
        if embeddings.dim != self.dim:
            raise InputError(f"embeddings of {embeddings.dim} dimensions; this index holds {self.dim}")
        if not np.isfinite(embeddings.values).all():
            raise InputError("embeddings with values that are not finite; expected numbers: encode the texts again")
        return embeddings if isinstance(embeddings, SparseMatrix) else SparseMatrix.from_rows([embeddings], self.dim)
