"""The indexes of faiss and usearch behind one interface."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_st_runtime.errors import InputError, InputTypeError, OptionError, PackageMissingError
from edge_st_runtime.vectors.dense import as_numbers, check_finite

_LINKS = 16
#: usearch links vectors that are added at the same time badly while the graph is small: searches then miss the nearest
_ON_ONE_THREAD = 1000
FAISS_PRECISIONS = ("float32", "uint8", "ubinary")
USEARCH_PRECISIONS = ("float32", "int8", "ubinary", "binary")
_STORED = {"int8": np.int8, "uint8": np.uint8, "binary": np.int8, "ubinary": np.uint8}
_METRICS = {"float32": ("cos", "f32"), "int8": ("ip", "i8"), "binary": ("hamming", "b1"), "ubinary": ("hamming", "b1")}
Found: TypeAlias = tuple[NDArray[Any], NDArray[np.int64]]


class ExternalIndex(Protocol):
    """An index of quantized vectors in another package."""

    @property
    def index(self) -> Any:
        """The package's index object."""
        ...

    @property
    def precision(self) -> str:
        """The precision of the stored vectors."""
        ...

    @property
    def width(self) -> int:
        """Numbers, or bytes, of a vector."""
        ...

    def search(self, vectors: NDArray[Any], k: int) -> Found:
        """Scores (n, k) and keys (n, k) of the best entries for ``vectors`` (n, width); key -1 fills up a row."""
        ...

    def vectors(self, keys: NDArray[np.int64]) -> NDArray[Any]:
        """The vectors (m, width) stored under ``keys`` (m,), as `quantize` returned them."""
        ...


@dataclass(frozen=True)
class FaissIndex:
    """A ``faiss.Index``, or with precision "ubinary" a ``faiss.IndexBinary``."""

    index: Any
    precision: str

    @property
    def width(self) -> int:
        """Numbers, or bytes, of a vector."""
        return int(self.index.d) // (8 if self.precision == "ubinary" else 1)

    def search(self, vectors: NDArray[Any], k: int) -> Found:
        """See `ExternalIndex`; scores are inner products, or with precision "ubinary" numbers of differing bits."""
        scores, keys = self.index.search(self._stored(vectors), k)
        return scores, keys.astype(np.int64, copy=False)

    def vectors(self, keys: NDArray[np.int64]) -> NDArray[Any]:
        """See `ExternalIndex`."""
        found = [self.index.reconstruct(key) for key in keys.tolist()]
        return np.array(found).reshape(len(keys), self.width)

    def add(self, vectors: NDArray[Any]) -> None:
        """Append (n, width) vectors."""
        self.index.add(self._stored(vectors))

    def _stored(self, vectors: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(vectors, dtype=np.uint8 if self.precision == "ubinary" else np.float32)


@dataclass(frozen=True)
class UsearchIndex:
    """A ``usearch.index.Index``; with the binary precisions its elements are bits."""

    index: Any
    precision: str
    exact: bool

    @property
    def width(self) -> int:
        """Numbers, or bytes, of a vector."""
        return int(self.index.ndim) // (8 if self.precision in ("binary", "ubinary") else 1)

    def search(self, vectors: NDArray[Any], k: int) -> Found:
        """See `ExternalIndex`; scores are distances."""
        matches = self.index.search(self._stored(vectors), k, exact=self.exact)
        scores, keys = (np.asarray(part).reshape(len(vectors), -1) for part in (matches.distances, matches.keys))
        counts = np.reshape(getattr(matches, "counts", keys.shape[1]), (-1, 1))
        return scores, np.where(np.arange(keys.shape[1]) < counts, keys.astype(np.int64), -1)

    def vectors(self, keys: NDArray[np.int64]) -> NDArray[Any]:
        """See `ExternalIndex`."""
        found = np.asarray(self.index.get(keys.astype(np.uint64))).reshape(len(keys), self.width)
        return _flipped(found).view(np.int8) if self.precision == "binary" else found

    def add(self, vectors: NDArray[Any]) -> None:
        """Append (n, width) vectors, under the next keys."""
        stored, keys = self._stored(vectors), np.arange(len(vectors), dtype=np.uint64)
        self.index.add(keys[:_ON_ONE_THREAD], stored[:_ON_ONE_THREAD], threads=1)
        self.index.add(keys[_ON_ONE_THREAD:], stored[_ON_ONE_THREAD:])

    def _stored(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """``vectors`` as usearch takes them. "binary" bytes are the bits minus 128, which is undone here."""
        return np.ascontiguousarray(_flipped(vectors.view(np.uint8)) if self.precision == "binary" else vectors)


def import_faiss() -> Any:
    """The faiss module; raises PackageMissingError without it."""
    try:
        import faiss
    except ImportError as error:
        raise PackageMissingError("this search needs faiss; pip install faiss-cpu") from error
    return faiss


def faiss_index(corpus: ArrayLike | None, index: Any, precision: str, *, exact: bool = True) -> FaissIndex:
    """``index``, or a new one of ``corpus`` (n, width); without ``exact`` a new one is an HNSW graph.

    Raises PackageMissingError without faiss, OptionError for an unknown precision and unless exactly one of ``corpus``
    and ``index`` is given, InputError for vectors of another precision.
    """
    _check(corpus, index, precision, FAISS_PRECISIONS)
    faiss = import_faiss()
    if corpus is None:
        return FaissIndex(index, precision)
    vectors = checked_vectors(corpus, "corpus_embeddings", precision)
    width = vectors.shape[1]
    if precision == "ubinary":
        made = faiss.IndexBinaryFlat(width * 8) if exact else faiss.IndexBinaryHNSW(width * 8, _LINKS)
    elif exact:
        made = faiss.IndexFlatIP(width)
    else:
        made = faiss.IndexHNSWFlat(width, _LINKS, faiss.METRIC_INNER_PRODUCT)
    filled = FaissIndex(made, precision)
    filled.add(vectors)
    return filled


def usearch_index(corpus: ArrayLike | None, index: Any, precision: str, *, exact: bool = True) -> UsearchIndex:
    """``index``, or a new one of ``corpus`` (n, width); with ``exact`` queries are compared with every vector.

    Raises PackageMissingError without usearch, and what `faiss_index` raises.
    """
    _check(corpus, index, precision, USEARCH_PRECISIONS)
    try:
        from usearch.index import Index
    except ImportError as error:
        raise PackageMissingError("this search needs usearch; pip install usearch") from error
    if corpus is None:
        return UsearchIndex(index, precision, exact)
    vectors = checked_vectors(corpus, "corpus_embeddings", precision)
    metric, dtype = _METRICS[precision]
    bits = 8 if precision in ("binary", "ubinary") else 1
    made = UsearchIndex(Index(ndim=vectors.shape[1] * bits, metric=metric, dtype=dtype), precision, exact)
    made.add(vectors)
    return made


def checked_vectors(vectors: ArrayLike, name: str, precision: str) -> NDArray[Any]:
    """``vectors`` (n, width), checked to be of ``precision``; raises InputError otherwise, and for NaN or infinity."""
    array = as_numbers(vectors, name)
    if array.ndim != 2 or not array.shape[1]:
        raise InputError(f"{name} of shape {array.shape}; expected (n, dim)")
    if precision == "float32" and array.dtype not in _STORED.values():
        check_finite(array, name)
        return array.astype(np.float32, copy=False)
    if array.dtype != _STORED.get(precision):
        stored = _STORED.get(precision, np.float32).__name__
        raise InputError(
            f"{name} is {array.dtype}; corpus_precision={precision!r} takes {stored}: pass the precision it has, or "
            f"quantize_embeddings({name}, {precision!r})"
        )
    return array


def _check(corpus: Any, index: Any, precision: str, known: tuple[str, ...]) -> None:
    if (corpus is None) == (index is None):
        found = "neither" if corpus is None else "both"
        raise OptionError(f"{found} of corpus_embeddings and corpus_index given; expected one of them")
    if corpus is None and not hasattr(index, "search"):
        raise InputTypeError(f"corpus_index is {type(index).__name__}; expected an index, or corpus_embeddings=…")
    if precision not in known:
        raise OptionError(f"corpus_precision is {precision!r}; expected one of {', '.join(map(repr, known))}")


def _flipped(codes: NDArray[Any]) -> NDArray[np.uint8]:
    """Bytes with their highest bit flipped, which turns `quantize`'s "binary" into "ubinary" and back."""
    return codes.view(np.uint8) ^ np.uint8(0x80)
