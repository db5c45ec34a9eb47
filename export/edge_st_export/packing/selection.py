"""Select the files of a model folder to pack.

They are those that `edge-st pull` would download for each graph, the model card and the licence files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_st.hub.fetch import fetch_model
from edge_st_runtime.errors import MissingFileError, NotAFolderError, OptionError
from edge_st_runtime.model.folder import ModelFolder, read_folder
from edge_st_runtime.model.record import FILE_NAME, Record
from edge_st_runtime.model.variants import ENDINGS, Criteria

from ..folder.layout import CARD, LEGAL


@dataclass(frozen=True)
class Selection:
    """The ``files`` to pack, relative to the model's folder, among them ``graphs`` and ``legal``, the licence files."""

    model: ModelFolder
    files: tuple[str, ...]
    graphs: tuple[str, ...]
    legal: tuple[str, ...]


def select(folder: Path, graphs: Sequence[str] | None) -> Selection:
    """Select the files of ``folder`` with ``graphs``, or with all graphs of its record.

    Raises OptionError for a graph that is not in the record, NotAFolderError, and MissingFileError for a missing file
    and for a model that needs graphs but has no record of any.
    """
    if not folder.is_dir():
        raise NotAFolderError(f"{folder} is no folder; expected one that edge-st export wrote")
    model = read_folder(folder)
    chosen = _graphs(model, graphs)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    alternatives = [Criteria(file_name=graph, on_cpu=False) for graph in chosen] or [Criteria()]
    needed = [name for each in alternatives for name in fetch_model(str(folder), names, each, folder.joinpath)[1]]
    legal = sorted(path.name for pattern in LEGAL for path in folder.glob(pattern) if path.is_file())
    documents = [name for name in (CARD, *legal) if name in names]
    files = sorted({*needed, *documents})
    if model.record is not None:
        _refuse_unrecorded(folder, model.record, {*files} - {FILE_NAME, *documents})
    return Selection(model, tuple(files), chosen, tuple(legal))


def _graphs(model: ModelFolder, wanted: Sequence[str] | None) -> tuple[str, ...]:
    needed = any(route.needs_graph for route in model.routes.values())
    if needed and model.record is None:
        raise MissingFileError(
            f"{model.path} has no {FILE_NAME}, so its graphs were never compared with the original; write a folder "
            "that has one: edge-st export MODEL FOLDER"
        )
    endings = tuple(ENDINGS.values())
    entries = model.record.graphs if model.record is not None else ()
    recorded = tuple(dict.fromkeys(entry.file for entry in entries if entry.file.endswith(endings)))
    unknown = [graph for graph in wanted or () if graph not in recorded]
    if unknown:
        raise OptionError(
            f"graph {unknown[0]!r} is not in the record of {model.path}; it has {', '.join(recorded) or 'no graph'}"
        )
    if needed and not recorded:
        raise MissingFileError(f"the record of {model.path} has no graph; export the model again")
    return tuple(graph for graph in recorded if wanted is None or graph in wanted)


def _refuse_unrecorded(folder: Path, record: Record, names: set[str]) -> None:
    unknown = sorted(names - record.files.keys())
    if unknown:
        raise OptionError(
            f"{folder} has {', '.join(unknown)}, which {FILE_NAME} does not list; remove what came after the export, "
            "or export the model again"
        )
