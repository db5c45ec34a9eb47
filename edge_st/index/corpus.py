"""`Index`: a corpus on disk, encoded once, then searched and changed in its folder."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from numpy.typing import ArrayLike

from edge_st_runtime.checks import check_ordered
from edge_st_runtime.errors import OptionError
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.dense.index import Mode, VectorIndex
from edge_st_runtime.store.dense.snapshot import encoded_id

from ..models.sentence_transformer import SentenceTransformer
from .building import created, first_rows, new_settings
from .embeddings import stored_similarity
from .encoding import append_rows
from .filters import Filter, predicate
from .hits import Hit, as_hits, as_row
from .ids import Id, check_ids, check_unused, existing_rows, find_rows, new_ids
from .migration import migrate
from .models import Model, Models, check_model, opened_model
from .queries import as_queries
from .rows import Metadata, check_rows
from .search_request import SearchRequest
from .settings import folder_of
from .streams import read_portions


class Index:
    """Vectors, ids, texts and metadata in a folder, with the fingerprint of the model that made the vectors.

    `build` makes an index, `open` opens one. One process may write while any number of processes read. A change takes
    effect as a whole or not at all, even where the process is killed. Threads may search while others change the
    index; changes are made one after the other.
    Vectors are memory-mapped, so an index may be larger than the memory. Close an index that is open to write, or use
    it in a ``with`` block, to let other processes write.
    """

    def __init__(self, store: VectorIndex, model: SentenceTransformer | None) -> None:
        """Not for callers: see `build` and `open`. ``model`` is the one that the store records, or None."""
        self._store = store
        self._models = Models(store.folder, model, store.settings)
        self._lock = threading.RLock()

    @classmethod
    def build(
        cls,
        model: Model | None,
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
    ) -> "Index":
        """Make a new index in folder ``path``, add the rows as `add` does, and return it open to write.

        ``precision`` is how vectors are stored and scanned: "float32", "float16", "int8" (one byte a dimension) or
        "binary" (one bit a dimension). ``rescore`` stores a second, finer copy ("float32", "float16" or "int8"), with
        which the best rows of a scan are scored again; with None they are scored by the one copy there is. Without
        ``store_texts`` results have no text, and the index cannot `migrate`. With ``model`` None, rows and queries are
        ``embeddings`` only and are compared by cosine; otherwise by the model's similarity.

        Raises FolderError where ``path`` holds an index or cannot be written, OptionError for an argument outside its
        values, and what `add` raises. If it fails after rows were added, those rows stay; otherwise there is no index.
        """
        folder, opened = folder_of(path), opened_model(model)
        rows = first_rows(opened, texts, ids, metadata, embeddings)
        stores_texts = bool(store_texts) and texts is not None
        settings = new_settings(opened, rows, precision, rescore, stores_texts=stores_texts)
        with created(folder, settings) as store:
            index = cls(store, opened)
            if rows is None:
                index.add(texts, ids, metadata, show_progress_bar=show_progress_bar)
            else:
                append_rows(store, index._models, rows, show_progress_bar)
        return index

    @classmethod
    def open(cls, path: str | Path, mode: Mode = "r", model: Model | None = None) -> "Index":
        """Open the index in folder ``path``: mode "r" to read, "a" to add, update and delete as well.

        ``model`` encodes texts and queries; without it the index is searched by embeddings only. Raises FolderError for
        a folder without an index, or one that another process has open to write; DamagedFileError or MissingFileError
        for a damaged index; OptionError for a model whose fingerprint is not the one that the index records.
        """
        opened = opened_model(model)
        store = VectorIndex.open(folder_of(path), mode)
        try:
            if opened is not None:
                check_model(opened, store.settings, store.folder)
        except BaseException:
            store.close()
            raise
        return cls(store, opened)

    def __len__(self) -> int:
        return len(self._store.snapshot)

    def __contains__(self, found: Id) -> bool:
        return bool(find_rows(self._store.snapshot, check_ids([found]))[0] != NO_ROW)

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
        request = SearchRequest(top_k, filter, ids, score_threshold, rescore_multiplier)
        snapshot = self._store.snapshot
        wanted = request.resolved(snapshot, self._store.folder)
        queries = as_queries(query, snapshot, self._models)
        similarity = stored_similarity(snapshot.settings)
        scores, rows = snapshot.search(queries.vectors, top_k, similarity, wanted)
        hits = [as_hits(snapshot, *found) for found in zip(scores, rows, strict=True)]
        return hits[0] if queries.is_single else hits

    def get(self, ids: Iterable[Id]) -> list[Hit]:
        """The rows with these ``ids``, as in `search` but without scores; raises InputError for an unknown id."""
        snapshot = self._store.snapshot
        rows = existing_rows(snapshot, check_ids(ids), self._store.folder)
        return [as_row(snapshot, row) for row in rows.tolist()]

    def find(self, ids: Sequence[Id]) -> list[Hit | None]:
        """The rows with these ``ids`` as `get` gives them, None for an unknown id."""
        snapshot = self._store.snapshot
        check_ordered("ids", ids, "expected a list of them: the result has a row for each")
        rows = find_rows(snapshot, check_ids(ids)).tolist()
        return [None if row == NO_ROW else as_row(snapshot, row) for row in rows]

    def ids(self, filter: Filter | None = None) -> list[Id]:  # noqa: A002 - the field's name
        """The ids of all rows, or of those that pass ``filter`` (see `search`), in the order of adding.

        An updated row moves to the end.
        """
        snapshot, passes = self._store.snapshot, predicate(filter)
        rows = snapshot.rows().tolist()
        return [snapshot.id(row) for row in rows if passes is None or passes(snapshot.metadata(row))]

    def add(
        self,
        texts: Iterable[str] | None,
        ids: Iterable[Id] | None = None,
        metadata: Iterable[Metadata | None] | None = None,
        *,
        embeddings: ArrayLike | None = None,
        show_progress_bar: bool | None = None,
    ) -> None:
        """Append rows. They are encoded and written in portions of 1024 texts; a portion is found once it is written.

        ``ids`` (str or int) name the rows in results. With None, the id of a row is the number of rows that were added
        or updated before it. ``metadata`` are dictionaries that JSON can hold, or None. A text that the index already
        stores is not encoded again, even where its row was deleted. ``embeddings`` (n, dim), made by the index's own
        model, take the place of encoding. ``texts`` may be an iterator, which is read portion by portion; then ``ids``
        and ``metadata`` may be iterators, too.

        A list is checked as a whole before any work. Raises InputTypeError for a text, id or metadata of another type,
        and for sets, which have no order. Raises InputError for an id that is in use or occurs twice; for texts, ids,
        metadata and embeddings that differ in number; for embeddings of another width, with NaN or infinity, or without
        the texts that the index stores. Raises OptionError for an index that is open to read or has no model,
        FolderError where it cannot be written.
        """
        if isinstance(texts, Iterator):
            self._check_writable()
            for portion in read_portions(texts, ids, metadata, embeddings):
                self.add(*portion)
            return
        with self._changing() as store:
            rows = check_rows(texts, ids, metadata, embeddings, next_id=store.added)
            check_unused(store.snapshot, rows.ids, are_counted=ids is None)
            append_rows(store, self._models, rows, show_progress_bar)

    def update(
        self,
        ids: Iterable[Id],
        texts: Sequence[str] | None,
        metadata: Sequence[Metadata | None] | None = None,
        *,
        embeddings: ArrayLike | None = None,
        show_progress_bar: bool | None = None,
    ) -> None:
        """Replace the texts of the rows ``ids``, and their metadata unless it is None; arguments are those of `add`.

        Raises InputError for an unknown id, and what `add` raises.
        """
        with self._changing() as store:
            known = new_ids(ids)
            snapshot = store.snapshot
            old = existing_rows(snapshot, known, store.folder).tolist()
            kept = [snapshot.metadata(row) for row in old] if metadata is None else metadata
            append_rows(store, self._models, check_rows(texts, known, kept, embeddings), show_progress_bar)

    def delete(self, ids: Iterable[Id]) -> None:
        """Delete the rows with these ``ids``. Their disk space is freed by `compact`.

        Raises InputError, deleting nothing, for an unknown id; OptionError for an index that is open to read.
        """
        with self._changing() as store:
            known = check_ids(ids)
            existing_rows(store.snapshot, known, store.folder)
            store.delete([encoded_id(found) for found in known])

    def compact(self) -> None:
        """Merge all segments into one, without the deleted rows: the fastest to open and to search.

        Raises DamagedFileError, changing nothing, where the checksum of a file is wrong.
        """
        with self._changing() as store:
            store.compact()

    def migrate(self, model: Model, show_progress_bar: bool | None = None) -> None:
        """Move the index to another ``model``: all texts are encoded again, then the new vectors replace the old.

        Until then all readers, this object included, search the old vectors. After an interruption the next call with
        the same model continues. Raises OptionError for an index without texts, or of a precision that the model's
        similarity does not allow, and what `add` raises.
        """
        opened = opened_model(model)
        if opened is None:
            raise OptionError("model is None; expected the SentenceTransformer to move to")
        with self._changing() as store:
            migrate(store, self._models, opened, show_progress_bar)

    def refresh(self) -> bool:
        """Read what a writer has changed since the index was opened or refreshed; returns whether there was a change.

        Raises OptionError where the index was moved to another model; the object then keeps searching the old rows.
        """
        return self._store.refresh(self._models.check)

    def verify(self) -> None:
        """Read every file of the index; raises DamagedFileError where a checksum is wrong."""
        self._store.verify()

    def info(self) -> dict[str, Any]:
        """The settings and the sizes (in bytes) of the index, as values that JSON can hold."""
        return {"path": str(self._store.folder), **self._store.settings, **self._store.statistics()}

    def close(self) -> None:
        """Let other processes write. A closed index can still be searched."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        settings = self._store.settings
        return f"Index({str(self._store.folder)!r}, {len(self)} rows, {settings['precision']}, {settings['dim']} dim)"

    @contextmanager
    def _changing(self) -> Iterator[VectorIndex]:
        """The store, for one change at a time; raises OptionError where the index is open to read."""
        self._check_writable()
        with self._lock:
            yield self._store

    def _check_writable(self) -> None:
        if not self._store.writable:
            folder = str(self._store.folder)
            raise OptionError(f"this index is open to read; open it to write: Index.open({folder!r}, mode='a')")
