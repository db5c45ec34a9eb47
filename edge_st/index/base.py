"""What indexes of every kind of vectors share: rows with ids, texts and metadata in a folder, found and changed."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Generic, Self

from numpy.typing import ArrayLike

from edge_st_runtime.checks import check_ordered
from edge_st_runtime.errors import OptionError
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.rows.index import Mode, RowIndex
from edge_st_runtime.store.rows.snapshot import encoded_id

from .building import created, first_rows, new_settings
from .encoding import append_rows
from .filters import Filter, predicate
from .hits import Hit, as_hits, as_row
from .ids import Id, check_ids, check_unused, existing_rows, find_rows, new_ids
from .kinds import VectorKind
from .migration import migrate
from .models import M, Models, check_model, opened_model
from .queries import as_queries
from .rows import Metadata, check_rows
from .search_request import SearchRequest
from .settings import folder_of
from .streams import read_portions


class StoredIndex(Generic[M]):
    """An index of any kind; see `Index`."""

    _kind: ClassVar[VectorKind]

    def __init__(self, store: RowIndex[Any, Any], model: M | None) -> None:
        """Not for callers: see `build` and `open`. ``model`` is the one that the store records, or None."""
        self._store = store
        self._models = Models(store.folder, type(self).__name__, model, store.settings)
        self._lock = threading.RLock()

    @classmethod
    def _built(
        cls,
        model: M | str | Path | None,
        path: str | Path,
        rows: Mapping[str, Any],
        precisions: Mapping[str, Any],
        *,
        store_texts: bool,
        show_progress_bar: bool | None,
    ) -> Self:
        """A new index that stores vectors in ``precisions``; ``rows`` are the arguments of `add` by name."""
        folder, opened = folder_of(path), opened_model(model, cls._kind.model)
        first = first_rows(cls._kind, opened, **rows)
        stores_texts = bool(store_texts) and rows["texts"] is not None
        settings = new_settings(cls._kind, opened, first, precisions, stores_texts=stores_texts)
        with created(cls._kind, folder, settings) as store:
            index = cls(store, opened)
            if first is None:
                index.add(**rows, show_progress_bar=show_progress_bar)
            else:
                append_rows(store, cls._kind, index._models, first, show_progress_bar)
        return index

    @classmethod
    def open(cls, path: str | Path, mode: Mode = "r", model: M | str | Path | None = None) -> Self:
        """Open the index in folder ``path``: mode "r" to read, "a" to add, update and delete as well.

        ``model`` encodes texts and queries; without it the index is searched by embeddings only. Raises FolderError for
        a folder without an index, or one that another process has open to write; DamagedFileError or MissingFileError
        for a damaged index; OptionError for a model whose fingerprint is not the one that the index records.
        """
        opened = opened_model(model, cls._kind.model)
        store = cls._kind.store.open(folder_of(path), mode)
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
        stores is not encoded again, even where its row was deleted. ``embeddings``, made by the index's own model, take
        the place of encoding: an array (n, dim), for a MultiVectorIndex a list of arrays (tokens, dim). ``texts`` may
        be an iterator, which is read portion by portion; then ``ids`` and ``metadata`` may be iterators, too.

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
            rows = check_rows(texts, ids, metadata, self._checked(embeddings), next_id=store.added)
            check_unused(store.snapshot, rows.ids, are_counted=ids is None)
            append_rows(store, self._kind, self._models, rows, show_progress_bar)

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
            rows = check_rows(texts, known, kept, self._checked(embeddings))
            append_rows(store, self._kind, self._models, rows, show_progress_bar)

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

    def migrate(self, model: M | str | Path, show_progress_bar: bool | None = None) -> None:
        """Move the index to another ``model``: all texts are encoded again, then the new vectors replace the old.

        Until then all readers, this object included, search the old vectors. After an interruption the next call with
        the same model continues. Raises OptionError for an index without texts, or of a precision that the model's
        similarity does not allow, and what `add` raises.
        """
        opened = opened_model(model, self._kind.model)
        if opened is None:
            raise OptionError(f"model is None; expected the {self._kind.model.__name__} to move to")
        with self._changing() as store:
            migrate(store, self._kind, self._models, opened, show_progress_bar)

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
        return (
            f"{type(self).__name__}({str(self._store.folder)!r}, {len(self)} rows, {settings['precision']}, "
            f"{settings['dim']} dim)"
        )

    def _found(self, query: Any, request: SearchRequest) -> list[Any]:
        """The hits of a query, or a list of them for each of several."""
        snapshot = self._store.snapshot
        wanted = request.resolved(snapshot, self._store.folder)
        queries = as_queries(query, snapshot, self._kind, self._models)
        scores, rows = self._kind.search(snapshot, queries.vectors, request.top_k, wanted)
        hits = [as_hits(snapshot, *found) for found in zip(scores, rows, strict=True)]
        return hits[0] if queries.is_single else hits

    def _checked(self, embeddings: ArrayLike | None) -> Any:
        return None if embeddings is None else self._kind.checked(embeddings)

    @contextmanager
    def _changing(self) -> Iterator[RowIndex[Any, Any]]:
        """The store, for one change at a time; raises OptionError where the index is open to read."""
        self._check_writable()
        with self._lock:
            yield self._store

    def _check_writable(self) -> None:
        if not self._store.writable:
            folder = str(self._store.folder)
            raise OptionError(
                f"this index is open to read; open it to write: {type(self).__name__}.open({folder!r}, mode='a')"
            )
