"""Moving an index to another model: all texts are encoded again into a second index, which then replaces the first."""

from collections.abc import Mapping
from typing import Any

from edge_st_runtime.arrays import Ids
from edge_st_runtime.errors import OptionError
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.rows.index import RowIndex
from edge_st_runtime.store.rows.snapshot import Snapshot

from ..models.encoder import Encoder
from ..progress import progress_bar
from .encoding import append_rows
from .kinds import VectorKind
from .models import Models, identity_of
from .rows import TEXTS, check_rows


def migrate(
    store: RowIndex[Any, Any], kind: VectorKind, models: Models, model: Encoder, show_progress_bar: bool | None
) -> None:
    """Replace what ``store`` holds by an index of ``model``; an interrupted migration to it is continued.

    Does nothing where ``model`` made the index. Raises OptionError for an index without texts, or of a precision that
    the similarity of ``model`` does not allow; DamagedFileError, changing nothing, where the checksum of a file is
    wrong.
    """
    identity = identity_of(model)
    models.add(model, identity["fingerprint"])
    settings = {
        **store.settings,
        "dim": model.get_embedding_dimension(),
        "similarity": model.similarity_fn_name,
        "model": identity,
    }
    if not _are_of_one_model(store.settings, settings):
        _check(store, kind, settings)
        _encode_again(store, kind, models, settings, show_progress_bar)
    models.keep(identity["fingerprint"])


def _are_of_one_model(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether embeddings under both settings are the same."""
    if old["model"] is None or old["model"]["fingerprint"] != new["model"]["fingerprint"]:
        return False
    return (old["similarity"], old["dim"]) == (new["similarity"], new["dim"])


def _check(store: RowIndex[Any, Any], kind: VectorKind, settings: Mapping[str, Any]) -> None:
    """Raise where the index cannot be moved, or is damaged."""
    kind.check_settings(settings)
    if not settings["texts"]:
        raise OptionError(f"{store.folder} keeps no texts to encode again; build a new index from the texts")
    store.verify()


def _encode_again(
    store: RowIndex[Any, Any],
    kind: VectorKind,
    models: Models,
    settings: Mapping[str, Any],
    show_progress_bar: bool | None,
) -> None:
    source = store.snapshot
    target = store.start_migration(settings)
    target.delete(_outdated(source, target.snapshot))
    rows = source.rows()
    with progress_bar(len(rows), show_progress_bar) as advance:
        for at in range(0, len(rows), TEXTS):
            portion = rows[at : at + TEXTS]
            _encode_missing(source, target, kind, models, portion)
            advance(len(portion))
    store.finish_migration(target)


def _encode_missing(
    source: Snapshot[Any, Any], target: RowIndex[Any, Any], kind: VectorKind, models: Models, rows: Ids
) -> None:
    """Encode those of ``rows`` that ``target`` does not hold yet."""
    known = target.snapshot.find(source.ids(rows)) != NO_ROW
    missing = rows[~known].tolist()
    if missing:
        texts = [source.text(row) or "" for row in missing]
        ids, metadata = [source.id(row) for row in missing], [source.metadata(row) for row in missing]
        append_rows(target, kind, models, check_rows(texts, ids, metadata), show_progress_bar=False)


def _outdated(source: Snapshot[Any, Any], target: Snapshot[Any, Any]) -> list[bytes]:
    """The ids in ``target`` that ``source`` no longer holds, or holds with another text or metadata."""
    rows = target.rows()
    ids = target.ids(rows)
    source_rows = source.find(ids).tolist()
    return [
        found
        for found, row, old in zip(ids, rows.tolist(), source_rows, strict=True)
        if old == NO_ROW or (source.text(old), source.metadata(old)) != (target.text(row), target.metadata(row))
    ]
