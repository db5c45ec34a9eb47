"""Moving an index to another model: all texts are encoded again beside what is there, which they replace at the end."""

from edge_st_runtime.arrays import Ids
from edge_st_runtime.errors import OptionError
from edge_st_runtime.search.best import NO_ROW
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.store.dense.snapshot import Snapshot

from ..models.sentence_transformer import SentenceTransformer
from ..progress import progress_bar
from .rows import TEXTS, check_rows
from .settings import check_precision
from .writing import append


def migrate(
    store: VectorIndex, model: SentenceTransformer, identity: dict[str, str], show_progress_bar: bool | None
) -> None:
    """Put an index of ``model`` in the place of what ``store`` holds; goes on where it was interrupted.

    Raises DamagedFileError, changing nothing, where a file is not as it was written.
    """
    similarity, dim, recorded = model.similarity_fn_name, model.get_embedding_dimension(), store.settings["model"]
    known = recorded and recorded["fingerprint"]
    if (known, store.settings["similarity"], store.settings["dim"]) == (identity["fingerprint"], similarity, dim):
        return
    check_precision(store.settings["precision"], store.settings["rescore"], similarity)
    if not store.settings["texts"]:
        raise OptionError(f"{store.folder} keeps no texts to encode again; build a new index from the texts")
    store.verify()
    source = store.snapshot
    settings = {
        **store.settings,
        "dim": dim,
        "similarity": similarity,
        "model": identity,
    }
    target = store.start_migration(settings)
    target.delete(_outdated(source, target.snapshot))
    rows = source.rows()
    with progress_bar(len(rows), show_progress_bar) as done:
        for at in range(0, len(rows), TEXTS):
            portion = rows[at : at + TEXTS]
            _move(source, target, model, portion)
            done(len(portion))
    store.finish_migration(target)


def _move(source: Snapshot, target: VectorIndex, model: SentenceTransformer, rows: Ids) -> None:
    """Encode those of ``rows`` that ``target`` does not hold yet."""
    there = target.snapshot.find(source.ids(rows)) != NO_ROW
    missing = rows[~there].tolist()
    if missing:
        texts = [source.text(row) or "" for row in missing]
        metadata = [source.metadata(row) for row in missing]
        append(target, model, check_rows(texts, [source.id(row) for row in missing], metadata, None, 0), False)


def _outdated(source: Snapshot, target: Snapshot) -> list[bytes]:
    """The ids in ``target`` that ``source`` has no longer, or with another text or metadata."""
    rows = target.rows()
    ids = target.ids(rows)
    there = source.find(ids).tolist()
    return [
        found
        for found, row, old in zip(ids, rows.tolist(), there, strict=True)
        if old == NO_ROW or (source.text(old), source.metadata(old)) != (target.text(row), target.metadata(row))
    ]
