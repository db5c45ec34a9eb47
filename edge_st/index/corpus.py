"""`Index`: a corpus on disk, encoded once, then searched and changed in its folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from numpy.typing import ArrayLike

from edge_st_runtime.checks import check_count

from ..models.sentence_transformer import SentenceTransformer
from .base import StoredIndex
from .dense import Dense
from .filters import Filter
from .ids import Id
from .rows import Metadata
from .search_request import SearchRequest


class Index(StoredIndex[SentenceTransformer]):
    """Vectors, ids, texts and metadata in a folder, with the fingerprint of the model that made the vectors.

    `build` makes an index, `open` opens one. One process may write while any number of processes read. A change takes
    effect as a whole or not at all, even where the process is killed. Threads may search while others change the
    index; changes are made one after the other.
    Vectors are memory-mapped, so an index may be larger than the memory. Close an index that is open to write, or use
    it in a ``with`` block, to let other processes write.
    """

    _kind = Dense()

    @classmethod
    def build(
        cls,
        model: SentenceTransformer | str | Path | None,
        texts: Iterable[str] | None,
        path: str | Path,
        ids: Iterable[Id] | None = None,
        metadata: Iterable[Metadata | None] | None = None,
        *,
        embeddings: ArrayLike | None = None,
        precision: str = "float32",
        rescore: str | None = None,
        store_texts: bool = True,
        show_progress_bar: bool | None = None,
    ) -> Self:
        """Make a new index in folder ``path``, add the rows as `add` does, and return it open to write.

        ``precision`` is how vectors are stored and scanned: "float32", "float16", "int8" (one byte a dimension) or
        "binary" (one bit a dimension). ``rescore`` stores a second, finer copy ("float32", "float16" or "int8"), with
        which the best rows of a scan are scored again; with None they are scored by the one copy there is. Without
        ``store_texts`` results have no text, and the index cannot `migrate`. With ``model`` None, rows and queries are
        ``embeddings`` only and are compared by cosine; otherwise by the model's similarity.

        Raises FolderError where ``path`` holds an index or cannot be written, OptionError for an argument outside its
        values, and what `add` raises. If it fails after rows were added, those rows stay; otherwise there is no index.
        """
        rows = {"texts": texts, "ids": ids, "metadata": metadata, "embeddings": embeddings}
        precisions = {"precision": precision, "rescore": rescore}
        return cls._built(model, path, rows, precisions, store_texts=store_texts, show_progress_bar=show_progress_bar)

    def search(
        self,
        query: str | Sequence[str] | ArrayLike,
        top_k: int = 10,
        filter: Filter | None = None,  # noqa: A002 - the field's name
        *,
        ids: Iterable[Id] | None = None,
        score_threshold: float | None = None,
        rescore_multiplier: int | None = None,
    ) -> list[Any]:
        """The ``top_k`` best rows for a query, best first; for a list of queries, a list for each.

        A query is a text or an embedding (dim,); several are a list of texts or embeddings (n, dim). A row is
        ``{"corpus_id": id, "score": float, "metadata": dict}``, and has "text" where the index stores texts. Equal
        scores are in the order of adding.

        ``filter`` selects rows by their metadata: a function of the metadata that returns a bool, or a dictionary of
        keys with the value, or a list of the values, that a row may have. ``ids`` restricts the search to these rows,
        ``score_threshold`` to rows with this score or more.

        float32 and float16 are searched exactly. An int8 or binary index is scanned for ``rescore_multiplier *
        top_k`` candidates, which are then scored by the finest copy it stores. None means 4 times ``top_k`` for int8,
        and 20 times but at least 1,500 for binary.

        Raises OptionError for ``top_k`` below 1 and for a text where the index has no model; InputError for an
        embedding of another width, with NaN or infinity, and for an id that the index does not hold.
        """
        check_count("top_k", top_k)
        if rescore_multiplier is not None:
            check_count("rescore_multiplier", rescore_multiplier)
        candidates = None if rescore_multiplier is None else rescore_multiplier * int(top_k)
        return self._found(query, SearchRequest(top_k, filter, ids, score_threshold, candidates))
