"""`MultiVectorIndex`: a corpus on disk with a vector for each token, for late interaction."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from numpy.typing import ArrayLike

from edge_st_runtime.checks import check_count
from edge_st_runtime.search.late.codec import DEFAULT_PRECISION

from ..models.multi_vector_encoder import MultiVectorEncoder
from .base import StoredIndex
from .filters import Filter
from .ids import Id
from .rows import Metadata
from .search_request import SearchRequest
from .tokens import Tokens


class MultiVectorIndex(StoredIndex[MultiVectorEncoder]):
    """Token vectors, ids, texts and metadata in a folder, with the fingerprint of the model that made the vectors.

    It is to a MultiVectorEncoder what `Index` is to a SentenceTransformer: `build` makes one, `open` opens one; one
    process may write while any number of processes read, a change takes effect as a whole or not at all, and vectors
    are memory-mapped. Rows are compared by MaxSim: the sum, over the query's tokens, of the largest dot product with a
    token of the row; divided by the number of the query's tokens for a model of "meanmaxsim".
    """

    _kind = Tokens()

    @classmethod
    def build(
        cls,
        model: MultiVectorEncoder | str | Path | None,
        texts: Iterable[str] | None,
        path: str | Path,
        ids: Iterable[Id] | None = None,
        metadata: Iterable[Metadata | None] | None = None,
        *,
        embeddings: Sequence[ArrayLike] | None = None,
        precision: str = DEFAULT_PRECISION,
        store_texts: bool = True,
        show_progress_bar: bool | None = None,
    ) -> Self:
        """Make a new index in folder ``path``, add the rows as `add` does, and return it open to write.

        ``precision`` is how token vectors are stored: "int8", "int4" or "int2" (8, 4 or 2 bits a dimension). How they
        are rounded, and which rows are looked at first, is learned from the first 1,024 rows, or as many as are added
        at once, and stays so until the index moves to another model: begin with many and mixed rows. Without
        ``store_texts`` results have no text, and the index cannot `migrate`. With ``model`` None, rows and queries are
        ``embeddings`` only.

        Raises FolderError where ``path`` holds an index or cannot be written, OptionError for an argument outside its
        values, and what `add` raises. If it fails after rows were added, those rows stay; otherwise there is no index.
        """
        rows = {"texts": texts, "ids": ids, "metadata": metadata, "embeddings": embeddings}
        precisions = {"precision": precision}
        return cls._built(model, path, rows, precisions, store_texts=store_texts, show_progress_bar=show_progress_bar)

    def search(
        self,
        query: str | Sequence[str] | ArrayLike | Sequence[ArrayLike],
        top_k: int = 10,
        filter: Filter | None = None,  # noqa: A002 - the field's name
        *,
        ids: Iterable[Id] | None = None,
        score_threshold: float | None = None,
        candidates: int | None = None,
    ) -> list[Any]:
        """The ``top_k`` best rows for a query, best first; for a list of queries, a list for each.

        A query is a text or an array (tokens, dim); several are a list of texts or of such arrays. A row is
        ``{"corpus_id": id, "score": float, "metadata": dict}``, and has "text" where the index stores texts. The score
        is MaxSim of the vectors as they are stored. Equal scores are in the order of adding.

        ``filter``, ``ids`` and ``score_threshold`` restrict the rows as in `Index.search`.

        Of each query, ``candidates`` rows, or ``top_k`` if that is more, are scored by their stored vectors: those that
        seem best by centroids of their vectors. None means 20 times ``top_k``, but at least 1,000. With as many as
        there are rows, no row is missed.

        A row without a token, such as one of which a skip list leaves nothing, is never found. A query without a token
        finds nothing and gives a warning that says so. Raises OptionError for ``top_k`` below 1 and for a text where
        the index has no model; InputError for arrays of another width, with NaN or infinity, and for an id that the
        index does not hold.
        """
        check_count("top_k", top_k)
        if candidates is not None:
            check_count("candidates", candidates)
        return self._found(query, SearchRequest(top_k, filter, ids, score_threshold, candidates))
