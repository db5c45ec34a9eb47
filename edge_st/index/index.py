"""A corpus that lasts: encoded once, searched many times, grown and changed in its folder."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from edge_st_runtime.arrays import Floats, Ids
from edge_st_runtime.checks import check_count, check_number
from edge_st_runtime.errors import InputError, InputTypeError, OptionError
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.dense.index import Mode, VectorIndex
from edge_st_runtime.store.dense.snapshot import SearchOptions, Snapshot, encoded_id
from edge_st_runtime.vectors.similarity import SimilarityFunction, parse_similarity

from ..models.inputs import check_text, check_texts
from ..models.sentence_transformer import SentenceTransformer
from .hits import Filter, Hit, accept, as_hits, as_row
from .models import Model, check_model, identity_of, no_model, opened_model
from .rows import Given, Id, Metadata, as_array, check_ids, check_rows, check_vectors, in_portions
from .settings import check_precision, check_width, folder_of
from .writing import append, as_kept


class Index:
    """Vectors, ids, texts and metadata in a folder, and the fingerprint of the model that made the vectors.

    `build` makes one, `open` opens it. Any number of processes may read while one writes; a change is there whole or
    not at all, also where the process is killed. Searches may run in several threads, also while others add: changes
    come one after the other.
    Vectors are memory-mapped: an index may be larger than the memory. Close it, or use it in a ``with`` block, to let
    others write.
    """

    def __init__(self, store: VectorIndex, model: SentenceTransformer | None) -> None:
        """Not for callers: see `build` and `open`. ``model`` is that of the store, or None."""
        self._store = store
        self._models = {} if model is None else {store.settings["model"]["fingerprint"]: model}
        self._changes = threading.RLock()

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
        """A new index in folder ``path``, open to write, with what `add` takes.

        ``precision`` is how vectors are kept and scanned: "float32", "float16", "int8" (one byte a dimension) or
        "binary" (one bit). ``rescore`` is the precision of a finer copy ("float32", "float16", "int8") by which the
        best of the scan are put in order, None to use what there is. Without ``store_texts`` results have no text, and
        the index cannot `migrate`. With ``model`` None the index takes and is searched by ``embeddings`` alone,
        compared by their cosine; with one, by its similarity.

        Raises FolderError where ``path`` holds an index or cannot be written, OptionError for arguments outside their
        values, and what `add` raises. Where it fails in the middle, what came before it stays; nothing where it fails
        at once.
        """
        folder, opened = folder_of(path), opened_model(model)
        similarity = SimilarityFunction.COSINE.value if opened is None else opened.similarity_fn_name
        check_precision(precision, rescore, similarity)
        if opened is None and embeddings is None:
            raise OptionError("model is None; expected a SentenceTransformer, or embeddings")
        given = None if isinstance(texts, Iterator) else check_rows(texts, ids, metadata, embeddings, 0)
        vectors = None if given is None else given.vectors
        if given is None and embeddings is not None:
            raise InputTypeError("texts is an iterator; expected a list of as many as there are embeddings")
        dim = opened.get_embedding_dimension() if opened is not None else vectors.shape[1]  # type: ignore[union-attr]
        settings = {
            "dim": dim,
            "precision": precision,
            "rescore": rescore,
            "texts": bool(store_texts) and texts is not None,
            "similarity": similarity,
            "model": None if opened is None else identity_of(opened),
        }
        if vectors is not None:
            check_width(vectors, dim)
        index = cls(VectorIndex.create(folder, settings), opened)
        try:
            if given is None:
                index.add(texts, ids, metadata, show_progress_bar=show_progress_bar)
            else:
                index._append(given, show_progress_bar)
        except BaseException:
            if index._store.added:
                index.close()
            else:
                index._store.discard()
            raise
        return index

    @classmethod
    def open(cls, path: str | Path, mode: Mode = "r", model: Model | None = None) -> "Index":
        """The index in folder ``path``, to read ("r") or to add, change and delete as well ("a").

        ``model`` encodes texts and queries; without it the index is searched by embeddings. Raises FolderError for a
        folder that holds no index, DamagedFileError or MissingFileError for a damaged one, FolderError where another
        writer has it, and OptionError for a model with another fingerprint than the one that made the index.
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
        return bool(self._store.snapshot.find(list(map(encoded_id, check_ids([found]))))[0] != NO_ROW)

    def add(
        self,
        texts: Iterable[str] | None,
        ids: Iterable[Id] | None = None,
        metadata: Iterable[Metadata | None] | None = None,
        *,
        embeddings: ArrayLike | None = None,
        show_progress_bar: bool | None = None,
    ) -> None:
        """Append rows; each portion of 1024 texts is there as soon as it is written.

        ``ids`` (str or int) are what results call them by; None counts on from the number of rows ever added.
        ``metadata`` are dictionaries that JSON can hold, or None. A text that the index holds already, deleted ones
        included, is not encoded again. With ``embeddings`` (n, dim), of the index' own model, nothing is encoded.
        ``texts`` may be an iterator, which is read as it is encoded; ``ids`` and ``metadata`` may then be, too.

        Raises, before any work where ``texts`` is a list, InputTypeError for what is no text, id or dictionary,
        InputError for ids that are there already or occur twice, for embeddings of another width, with NaN or
        infinity, for as many of one as there are not of the other, and for embeddings without the texts that the index
        keeps; OptionError for an index that is open to read or has no model; FolderError where it cannot be written.
        """
        if isinstance(texts, Iterator):
            self._check_writable()
            if embeddings is not None:
                raise InputTypeError("texts is an iterator; expected a list of as many as there are embeddings")
            for portion in in_portions(texts, ids, metadata):
                self.add(*portion)
            return
        with self._changing():
            given = check_rows(texts, ids, metadata, embeddings, self._store.added)
            there = np.flatnonzero(self._store.snapshot.find([encoded_id(found) for found in given.ids]) != NO_ROW)
            if len(there):
                found = given.ids[there[0]]
                if ids is None:
                    raise InputError(
                        f"ids is None, and the next number {found} is an id already; expected ids of yours"
                    )
                raise InputError(f"ids[{there[0]}] is {found!r}, which is there already; change it with update")
            self._append(given, show_progress_bar)

    def update(
        self,
        ids: Iterable[Id],
        texts: Sequence[str] | None,
        metadata: Sequence[Metadata | None] | None = None,
        *,
        embeddings: ArrayLike | None = None,
        show_progress_bar: bool | None = None,
    ) -> None:
        """Give the rows ``ids`` other texts, and other metadata where they are given; arguments are those of `add`.

        Raises InputError for an id that is not there, and what `add` raises.
        """
        with self._changing():
            known = check_ids(ids)
            found = self.get(known)
            kept = [row["metadata"] for row in found] if metadata is None else metadata
            self._append(check_rows(texts, known, kept, embeddings, 0), show_progress_bar)

    def delete(self, ids: Iterable[Id]) -> None:
        """Remove the rows ``ids`` from what is found; `compact` removes them from the disk.

        Raises InputError, deleting nothing, for an id that is not there; OptionError for an index open to read.
        """
        with self._changing():
            known = check_ids(ids)
            self._find(self._store.snapshot, known)
            self._store.delete([encoded_id(found) for found in known])

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
        """The ``top_k`` best rows of a query, best first, of several a list for each.

        A query is a text, or an embedding (dim,); several are a list of texts, or (n, dim). A row found is
        ``{"corpus_id": id, "score": float, "metadata": dict}``, with "text" where texts are kept. Rows are found where
        ``filter`` is true of their metadata: a function, or a dictionary whose values, or one of a list of values,
        they must have; of ``ids`` alone where these are given; with scores of ``score_threshold`` or more. Equal
        scores are in the order of adding.

        float32 and float16 are searched exactly. In int8 and binary ``rescore_multiplier`` times ``top_k`` rows (None:
        4 times, and 20 times but 1,500 at least) are found by codes, and put in order by what the index keeps finest.

        Raises OptionError for ``top_k`` below 1 and for a text where the index has no model, InputError for an
        embedding of another width, with NaN or infinity, and for an id that is not there.
        """
        check_count("top_k", top_k)
        if rescore_multiplier is not None:
            check_count("rescore_multiplier", rescore_multiplier)
        if score_threshold is not None:
            check_number("score_threshold", score_threshold)
        snapshot = self._store.snapshot
        queries, single = self._queries(query, snapshot)
        rows = None if ids is None else self._find(snapshot, ids)
        wanted = SearchOptions(accept(filter), rows, score_threshold, rescore_multiplier)
        scores, found = snapshot.search(queries, top_k, _similarity(snapshot), wanted)
        hits = [as_hits(snapshot, *each) for each in zip(scores, found, strict=True)]
        return hits[0] if single else hits

    def get(self, ids: Iterable[Id]) -> list[Hit]:
        """The rows ``ids``, as in `search` but without a score; raises InputError for one that is not there."""
        snapshot = self._store.snapshot
        return [as_row(snapshot, row) for row in self._find(snapshot, ids).tolist()]

    def find(self, ids: Sequence[Id]) -> list[Hit | None]:
        """The rows ``ids`` as `get` gives them, None for one that is not there."""
        snapshot = self._store.snapshot
        rows = snapshot.find([encoded_id(found) for found in check_ids(ids)]).tolist()
        return [None if row == NO_ROW else as_row(snapshot, row) for row in rows]

    def ids(self, filter: Filter | None = None) -> list[Id]:  # noqa: A002 - the field's name
        """The ids of all rows, or of those that `search` would find with ``filter``, in the order of adding.

        A row that was updated counts as added then.
        """
        snapshot, accepted = self._store.snapshot, accept(filter)
        rows = snapshot.rows().tolist()
        return [snapshot.id(row) for row in rows if accepted is None or accepted(snapshot.metadata(row))]

    def compact(self) -> None:
        """Remove what is deleted from the disk, and make one segment of all, the fastest to open and search.

        Raises DamagedFileError, changing nothing, where a file is not as it was written.
        """
        with self._changing():
            self._store.compact()

    def migrate(self, model: Model, show_progress_bar: bool | None = None) -> None:
        """Encode all texts again with another ``model``, which then takes the old one's place at one instant.

        Until then all readers, this object included, find what they found. Where it is interrupted, the next call with
        the same model goes on. Raises OptionError for an index without texts, or one whose precision is not for the
        similarity of the model, and what `add` raises.
        """
        from .migration import migrate

        opened = opened_model(model)
        if opened is None:
            raise OptionError("model is None; expected the SentenceTransformer to move to")
        with self._changing():
            identity = identity_of(opened)
            self._models = {**self._models, identity["fingerprint"]: opened}
            migrate(self._store, opened, identity, show_progress_bar)
            self._models = {identity["fingerprint"]: opened}

    def refresh(self) -> bool:
        """Find what a writer has added, changed or deleted since the index was opened; whether there was anything.

        Raises OptionError where it was moved to another model, and then finds what it found before.
        """
        return self._store.refresh(self._check_models)

    def verify(self) -> None:
        """Read every file that is there now; raises DamagedFileError for one that is not as it was written."""
        self._store.verify()

    def info(self) -> dict[str, Any]:
        """What the index holds and how, as values that JSON can hold; sizes are in bytes."""
        return {"path": str(self._store.folder), **self._store.settings, **self._store.statistics()}

    def close(self) -> None:
        """Let others write; searches still work."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        settings = self._store.settings
        return f"Index({str(self._store.folder)!r}, {len(self)} rows, {settings['precision']}, {settings['dim']} dim)"

    def _model(self, snapshot: Snapshot) -> SentenceTransformer | None:
        """The model that made the embeddings in ``snapshot``, where it was given."""
        recorded = snapshot.settings["model"]
        return None if recorded is None else self._models.get(recorded["fingerprint"])

    def _check_models(self, snapshot: Snapshot) -> None:
        """Raise OptionError where the models given did not make the embeddings in ``snapshot``."""
        if self._model(snapshot) is None:
            for model in self._models.values():
                check_model(model, snapshot.settings, self._store.folder)

    def _append(self, given: Given, show_progress_bar: bool | None) -> None:
        settings, model = self._store.settings, self._model(self._store.snapshot)
        if given.texts is None and settings["texts"]:
            raise InputError("texts is None; this index keeps texts: expected one for each of the embeddings")
        if given.vectors is not None:
            check_width(given.vectors, settings["dim"])
        elif model is None:
            raise no_model(self._store, "texts")
        append(self._store, model, given, show_progress_bar)

    def _queries(self, query: Any, snapshot: Snapshot) -> tuple[Floats, bool]:
        """Vectors (queries, dim) of texts or embeddings, and whether it was a single one."""
        dim, model = snapshot.settings["dim"], self._model(snapshot)
        words = isinstance(query, str) or (isinstance(query, list | tuple) and any(isinstance(q, str) for q in query))
        if words and model is None:
            raise no_model(self._store, "a query that is a text")
        if words and model is not None:
            texts = [check_text(query, "query")] if isinstance(query, str) else check_texts(query, "query")
            vectors = model.encode_query(texts, truncate_dim=dim)
            single = isinstance(query, str)
        elif isinstance(query, list | tuple) and not query:
            vectors, single = np.empty((0, dim), dtype=np.float32), False
        else:
            array = as_array(query, "query")
            single = array.ndim == 1
            vectors = check_vectors(array[None] if single else array, "query")
        check_width(vectors, dim)
        return as_kept(vectors, snapshot.settings), single

    def _find(self, snapshot: Snapshot, ids: Iterable[Id]) -> Ids:
        """The rows of ``ids``; raises InputError for one that is not there."""
        known = check_ids(ids)
        rows = snapshot.find([encoded_id(found) for found in known])
        missing = np.flatnonzero(rows == NO_ROW)
        if len(missing):
            raise InputError(f"ids[{missing[0]}] is {known[missing[0]]!r}, which {self._store.folder} does not hold")
        return rows

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One change at a time; raises OptionError where the index is open to read."""
        self._check_writable()
        with self._changes:
            yield

    def _check_writable(self) -> None:
        if not self._store.writable:
            folder = str(self._store.folder)
            raise OptionError(f"this index is open to read; open it to write: Index.open({folder!r}, mode='a')")


def _similarity(snapshot: Snapshot) -> SimilarityFunction:
    """Cosines are dot products here: the vectors have unit length."""
    kind = parse_similarity(snapshot.settings["similarity"])
    return SimilarityFunction.DOT_PRODUCT if kind == SimilarityFunction.COSINE else kind
