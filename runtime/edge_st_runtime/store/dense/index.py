"""A vector index in a folder: dense embeddings with ids, texts and metadata."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ...search.codes import PRECISIONS
from ...vectors.similarity import FUNCTIONS
from ..rows.index import RowIndex
from ..rows.manifest import check_manifest, dimensions
from .layout import DenseLayout, DenseVectors
from .snapshot import VectorSnapshot


class VectorIndex(RowIndex[VectorSnapshot, DenseVectors]):
    """A `RowIndex` of rows with a dense vector each."""

    KIND: ClassVar[str] = "Index"

    def statistics(self) -> dict[str, Any]:
        """As `RowIndex.statistics`, and the bytes of one vector."""
        return {**super().statistics(), "bytes_per_vector": self.snapshot.layout.bytes_per_vector}

    def _read(self, manifest: Mapping[str, Any]) -> VectorSnapshot:
        layout = _layout(self.folder / self._name, manifest)
        return VectorSnapshot(layout, self._segments(layout, manifest), manifest["settings"])


def _layout(path: Path, manifest: Mapping[str, Any]) -> DenseLayout:
    """The layout of the segments that ``manifest``, the content of ``path``, lists; raises DamagedFileError."""
    settings = check_manifest(path, manifest, [each.value for each in FUNCTIONS])
    return DenseLayout(
        dim=dimensions(settings),
        precision=settings.choice("precision", PRECISIONS),
        rescore=settings.choice("rescore", [None, *PRECISIONS]),
        texts=settings.flag("texts"),
    )
