"""A multi-vector index in a folder: token vectors with ids, texts and metadata."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ...errors import DamagedFileError
from ...search.late.codec import PRECISIONS, TokenCodec
from ...vectors.similarity import TOKEN_FUNCTIONS
from ..rows.index import RowIndex
from ..rows.manifest import check_manifest, dimensions
from ..rows.segment import Rows
from ..segment_file import Column, read_segment, verify_segment, write_segment
from ..segment_folder import CODEC
from .layout import TokenLayout, TokenVectors
from .snapshot import TokenSnapshot


class TokenIndex(RowIndex[TokenSnapshot, TokenVectors]):
    """A `RowIndex` of rows with a vector for each of their tokens.

    The first rows with tokens train the codec, and its parameters become a file that the manifest lists. All segments
    are encoded by it.
    """

    KIND: ClassVar[str] = "MultiVectorIndex"
    #: the name of the codec's file, and the codec in it
    _read_codec: tuple[str, TokenCodec] | None = None

    def statistics(self) -> dict[str, Any]:
        """As `RowIndex.statistics`, and the number of tokens and the bytes of one; None where there is none yet."""
        codec = self.snapshot.layout.codec
        return {
            **super().statistics(),
            "tokens": sum(segment.vectors.tokens for segment in self.snapshot.segments),
            "bytes_per_token": None if codec is None else codec.bytes_per_token,
        }

    def _listed_with(self, rows: Rows[TokenVectors]) -> Mapping[str, Any]:
        codec = rows.vectors.codec
        if codec is None or self.snapshot.layout.codec is not None:
            return {}
        columns = {name: Column.of(array) for name, array in codec.parameters().items()}
        return {CODEC: write_segment(self.folder, columns)}

    def _read(self, manifest: Mapping[str, Any]) -> TokenSnapshot:
        layout = self._layout(manifest)
        return TokenSnapshot(layout, self._segments(layout, manifest), manifest["settings"])

    def _layout(self, manifest: Mapping[str, Any]) -> TokenLayout:
        """The layout of the segments that ``manifest`` lists; raises DamagedFileError."""
        settings = check_manifest(self.folder / self._name, manifest, [each.value for each in TOKEN_FUNCTIONS])
        dim, precision = dimensions(settings), settings.choice("precision", PRECISIONS)
        return TokenLayout(dim, precision, settings.flag("texts"), self._codec(dim, precision, manifest.get(CODEC)))

    def _codec(self, dim: int, precision: str, entry: Mapping[str, Any] | None) -> TokenCodec | None:
        """The codec in the file of ``entry``, read whole and verified, once for each file."""
        if entry is None:
            return None
        if self._read_codec is None or self._read_codec[0] != entry["name"]:
            verify_segment(self.folder, entry)
            try:
                codec = TokenCodec.from_parameters(precision, dim, read_segment(self.folder, entry))
            except DamagedFileError as error:
                raise DamagedFileError(f"{self.folder / entry['name']}: {error}") from error
            self._read_codec = entry["name"], codec
        return self._read_codec[1]
