"""The datasets of NanoBEIR, from a local folder or through the package ``datasets``."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import InputError, OptionError, PackageMissingError

from ..input_files import read_objects
from .candidates import bm25_candidates
from .datasets import RetrievalData, read_beir

HUB_ID = "sentence-transformers/NanoBEIR-en"
#: the names of the datasets, as metrics spell them
NAMES = {
    name.lower(): name
    for name in (
        *("ClimateFEVER", "DBPedia", "FEVER", "FiQA2018", "HotpotQA", "MSMARCO", "NFCorpus", "NQ"),
        *("QuoraRetrieval", "SCIDOCS", "ArguAna", "SciFact", "Touche2020"),
    )
}
_RANKINGS = "bm25.jsonl"
_ROW = {"query-id": "an id", "corpus-ids": ["an id"]}


def check_names(names: Iterable[str] | None, default: Iterable[str]) -> list[str]:
    """The names, or ``default`` for None; raises OptionError for an empty list or an unknown name."""
    found = list(default if names is None else names)
    unknown = [name for name in found if name.lower() not in NAMES]
    if not found or unknown:
        problem = f"Dataset(s) {unknown} are not valid NanoBEIR datasets" if found else "dataset_names cannot be empty"
        raise OptionError(f"{problem}. Valid dataset names are: {list(NAMES)}; None takes all of them")
    return found


def read_set(dataset_id: str | Path, name: str) -> RetrievalData:
    """Read the dataset ``name``.

    If ``dataset_id`` is a folder with ``Nano<Name>/``, that is read in BEIR's layout. Otherwise ``dataset_id`` goes to
    ``datasets.load_dataset``.

    Raises OptionError and InputError as `read_beir`, PackageMissingError where ``datasets`` is not installed,
    OptionError where it cannot load the dataset.
    """
    folder = _local(dataset_id, name)
    if folder:
        return read_beir(folder)
    texts = {
        subset: {row["_id"]: row["text"] for row in _hub_rows(dataset_id, subset, name, ("_id", "text"))}
        for subset in ("queries", "corpus")
    }
    grades: dict[str, dict[str, int]] = {}
    for row in _hub_rows(dataset_id, "qrels", name, ("query-id", "corpus-id")):
        found = row["corpus-id"]
        grades.setdefault(row["query-id"], {}).update(dict.fromkeys(found if isinstance(found, list) else [found], 1))
    return RetrievalData(_split(name), texts["queries"], texts["corpus"], grades)


def read_rankings(dataset_id: str | Path, name: str, data: RetrievalData, depth: int) -> dict[str, list[str]]:
    """The first ``depth`` documents by BM25 for each query that has a relevant document.

    The dataset's folder may hold the rankings in ``bm25.jsonl``, one ``{"query-id": …, "corpus-ids": […]}`` per line;
    otherwise they are computed. Raises InputError for any other line, and what `read_set` raises.
    """
    folder = _local(dataset_id, name)
    if folder is None:
        rows = _hub_rows(dataset_id, "bm25", name, ("query-id", "corpus-ids"))
        return {row["query-id"]: list(row["corpus-ids"][:depth]) for row in rows}
    if not (folder / _RANKINGS).is_file():
        return bm25_candidates(data, depth)
    found, ids = {}, list(data.corpus)
    for place, row in read_objects(folder / _RANKINGS, _ROW):
        query, documents = row.get("query-id"), row.get("corpus-ids")
        if not (isinstance(query, str) and isinstance(documents, list) and all(each in ids for each in documents)):
            raise InputError(f"{place}: expected a query-id, and corpus-ids that are documents of {folder.name}")
        found[query] = documents[:depth]
    missing = next((query for query in data.queries if query not in found), None)
    if missing is not None:
        raise InputError(
            f"{folder / _RANKINGS} has no line for the query {missing!r}; expected one for every "
            "query with a relevant document"
        )
    return {query: found[query] for query in data.queries}


def _split(name: str) -> str:
    return f"Nano{NAMES[name.lower()]}"


def _local(dataset_id: str | Path, name: str) -> Path | None:
    """The dataset's folder in ``dataset_id``; None where there is none."""
    folder = Path(dataset_id) / _split(name)
    return folder if folder.is_dir() else None


def _hub_rows(dataset_id: str | Path, subset: str, name: str, columns: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    split = _split(name)
    wanted = f"{dataset_id} has no folder {split} in BEIR's layout"
    try:
        from datasets import load_dataset  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]
    except ImportError as error:
        missing = f"{wanted}; give dataset_id a folder that has one, or: pip install datasets"
        raise PackageMissingError(missing) from error
    try:
        found = load_dataset(str(dataset_id), subset, split=split)
    except Exception as error:
        raise OptionError(
            f"Could not load subset {subset!r} split {split!r} from dataset {str(dataset_id)!r} ({error}), and {wanted}"
        ) from error
    absent = set(columns) - set(found.column_names)
    if absent:
        raise InputError(
            f"Subset {subset!r} split {split!r} from dataset {str(dataset_id)!r} is missing required columns: "
            f"{sorted(absent)}; it has {found.column_names}"
        )
    return found
