"""An index of whichever kind a folder holds, opened as what it is."""

from pathlib import Path
from typing import Any, TypeAlias

from edge_st_runtime.store.rows.index import MANIFEST, Mode
from edge_st_runtime.store.segment_folder import recorded_kind

from .corpus import Index
from .multi_vector import MultiVectorIndex
from .settings import folder_of

AnyIndex: TypeAlias = Index | MultiVectorIndex
_CLASSES: dict[str, type[AnyIndex]] = {found.__name__: found for found in (Index, MultiVectorIndex)}


def index_class(path: str | Path) -> type[AnyIndex]:
    """The class that wrote the index in folder ``path``; `Index`, which refuses to open it, for an unknown one.

    Raises FolderError for a folder without an index, DamagedFileError where it does not say its class.
    """
    return _CLASSES.get(recorded_kind(folder_of(path), MANIFEST), Index)


def open_index(path: str | Path, mode: Mode = "r", model: Any = None) -> AnyIndex:
    """The index in folder ``path``, opened by its own class; raises what its ``open`` raises."""
    return index_class(path).open(path, mode, model)
