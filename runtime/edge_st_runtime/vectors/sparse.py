"""Sparse embeddings: immutable vectors and matrices that store nonzero values only."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Floats
from ..errors import InputError, OptionError, PackageMissingError


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class SparseVector:
    """A sparse vector of ``dim`` dimensions.

    ``values`` (nnz,) float32 are its nonzero values, ``indices`` (nnz,) int32 their dimensions, in ascending order. The
    vector keeps read-only views of the arrays. Raises InputError for arrays of another form.
    """

    indices: NDArray[np.int32]
    values: Floats
    dim: int
    ndim = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "indices", _frozen(self.indices, np.int32))
        object.__setattr__(self, "values", _frozen(self.values, np.float32))
        _check(self.indices, self.values, self.dim, np.zeros(0, dtype=np.int64))

    @property
    def shape(self) -> tuple[int]:
        """(dim,)."""
        return (self.dim,)

    @property
    def nnz(self) -> int:
        """Number of nonzero values."""
        return len(self.values)

    def to_dense(self) -> Floats:
        """The vector as a dense array (dim,) float32."""
        dense = np.zeros(self.dim, dtype=np.float32)
        dense[self.indices] = self.values
        return dense

    def to_dict(self) -> dict[int, float]:
        """The nonzero values by dimension, as Python numbers."""
        return dict(zip(self.indices.tolist(), self.values.tolist(), strict=True))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return _as_array(self.to_dense(), dtype, copy)

    def __reduce__(self) -> tuple[Any, ...]:
        return SparseVector, (self.indices, self.values, self.dim)

    def __len__(self) -> int:
        return self.dim

    def __repr__(self) -> str:
        return f"SparseVector(shape={self.shape}, nnz={self.nnz})"


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class SparseMatrix:
    """A sparse matrix of n rows and ``dim`` dimensions, in SciPy's CSR layout.

    ``values`` (nnz,) float32 are the nonzero values of all rows, ``indices`` (nnz,) int32 their dimensions, ascending
    within a row. ``indptr`` (n + 1,) int64 says where rows begin and end: row i has the slice
    ``indptr[i]:indptr[i + 1]`` of both. The matrix keeps read-only views of the arrays. Raises InputError for arrays of
    another form.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: Floats
    dim: int
    ndim = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "indptr", _frozen(self.indptr, np.int64))
        object.__setattr__(self, "indices", _frozen(self.indices, np.int32))
        object.__setattr__(self, "values", _frozen(self.values, np.float32))
        ends = self.indptr
        if (
            ends.ndim != 1
            or not len(ends)
            or ends[0] != 0
            or ends[-1] != len(self.values)
            or np.any(ends[1:] < ends[:-1])
        ):
            raise InputError(
                f"indptr of {len(ends)} entries for {len(self.values)} values; expected (n + 1,) that rises from 0 to "
                "the number of values, as in scipy.sparse.csr_array"
            )
        _check(self.indices, self.values, self.dim, ends[1:-1])

    @classmethod
    def from_dense(cls, array: ArrayLike) -> "SparseMatrix":
        """The rows of ``array`` (n, dim), as float32; raises InputError for another shape."""
        dense = np.asarray(array, dtype=np.float32)
        if dense.ndim != 2:
            raise InputError(f"an array of shape {dense.shape}; expected (n, dim): use array[None] for one vector")
        rows, columns = np.nonzero(dense)
        counts = np.bincount(rows, minlength=len(dense))
        return cls(_ends(counts), columns.astype(np.int32), dense[rows, columns], dense.shape[1])

    @classmethod
    def from_rows(cls, rows: Iterable[SparseVector], dim: int) -> "SparseMatrix":
        """The matrix with these ``rows``; raises InputError for a row that does not have ``dim`` dimensions."""
        rows = list(rows)
        _same_width([row.dim for row in rows], dim)
        indices = np.concatenate([np.zeros(0, dtype=np.int32), *(row.indices for row in rows)])
        values = np.concatenate([np.zeros(0, dtype=np.float32), *(row.values for row in rows)])
        return cls(_ends(np.array([row.nnz for row in rows], dtype=np.int64)), indices, values, dim)

    @classmethod
    def concatenate(cls, matrices: Sequence["SparseMatrix"]) -> "SparseMatrix":
        """The rows of all ``matrices`` in one; raises InputError for no matrices, and for different widths."""
        if not matrices:
            raise InputError("no matrices to concatenate; for no rows use SparseMatrix.from_rows([], dim)")
        _same_width([matrix.dim for matrix in matrices], matrices[0].dim)
        counts = np.concatenate([matrix.counts for matrix in matrices])
        indices = np.concatenate([matrix.indices for matrix in matrices])
        return cls(_ends(counts), indices, np.concatenate([matrix.values for matrix in matrices]), matrices[0].dim)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, dim)."""
        return len(self), self.dim

    @property
    def nnz(self) -> int:
        """Number of nonzero values."""
        return len(self.values)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of nonzero values of each row: (n,) int64."""
        return np.diff(self.indptr)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each nonzero value: (nnz,) int64."""
        return np.repeat(np.arange(len(self)), self.counts)

    def to_dense(self) -> Floats:
        """The matrix as a dense array (n, dim) float32."""
        dense = np.zeros(self.shape, dtype=np.float32)
        dense[self.rows, self.indices] = self.values
        return dense

    def to_dicts(self) -> list[dict[int, float]]:
        """The nonzero values of each row by dimension, as Python numbers."""
        return [row.to_dict() for row in self]

    def to_scipy(self) -> Any:
        """A copy as scipy.sparse.csr_array (n, dim) float32; raises PackageMissingError without SciPy."""
        try:
            from scipy.sparse import csr_array
        except ImportError as error:
            raise PackageMissingError("to_scipy needs SciPy, which is not installed; pip install scipy") from error
        return csr_array((self.values, self.indices, self.indptr), shape=self.shape, copy=True)

    @overload
    def __getitem__(self, key: int) -> SparseVector: ...
    @overload
    def __getitem__(self, key: slice | Sequence[int] | NDArray[Any]) -> "SparseMatrix": ...
    def __getitem__(self, key: int | slice | Sequence[int] | NDArray[Any]) -> "SparseVector | SparseMatrix":
        """Row ``key`` as a SparseVector; for a slice, positions (m,) or a mask (n,), those rows as a SparseMatrix."""
        if isinstance(key, int | np.integer):
            place = range(len(self))[key]
            start, end = self.indptr[place : place + 2]
            return SparseVector(self.indices[start:end], self.values[start:end], self.dim)
        chosen = np.arange(len(self))[key]
        if chosen.ndim != 1:
            raise IndexError(f"an index of {chosen.ndim} dimensions; a SparseMatrix can only be indexed by rows")
        counts = self.counts[chosen]
        ends = _ends(counts)
        if isinstance(key, slice) and key.step in (None, 1):
            first = self.indptr[chosen[0]] if len(chosen) else 0
            part: slice | NDArray[np.int64] = slice(first, first + ends[-1])
        else:
            part = np.arange(ends[-1]) + np.repeat(self.indptr[chosen] - ends[:-1], counts)
        return SparseMatrix(ends, self.indices[part], self.values[part], self.dim)

    def __iter__(self) -> Iterator[SparseVector]:
        return (self[place] for place in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return _as_array(self.to_dense(), dtype, copy)

    def __reduce__(self) -> tuple[Any, ...]:
        return SparseMatrix, (self.indptr, self.indices, self.values, self.dim)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __repr__(self) -> str:
        return f"SparseMatrix(shape={self.shape}, nnz={self.nnz})"


Sparse: TypeAlias = SparseVector | SparseMatrix
S = TypeVar("S", SparseVector, SparseMatrix)


def select_max_active_dims(embeddings: S, max_active_dims: int | None) -> S:
    """Keep the ``max_active_dims`` values of each row with the largest absolute value; None keeps all.

    Among equal ones, those of lower dimensions are kept. Raises OptionError for ``max_active_dims`` below 1. Source:
    sentence-transformers' ``util.select_max_active_dims``.
    """
    if max_active_dims is None:
        return embeddings
    if max_active_dims < 1:
        raise OptionError(f"max_active_dims is {max_active_dims}; expected at least 1, or None to keep all")
    if isinstance(embeddings, SparseVector):
        return select_max_active_dims(SparseMatrix.from_rows([embeddings], embeddings.dim), max_active_dims)[0]
    counts = embeddings.counts
    if counts.max(initial=0) <= max_active_dims:
        return embeddings
    order = np.lexsort((-np.abs(embeddings.values), embeddings.rows))
    ranks = np.arange(embeddings.nnz) - np.repeat(embeddings.indptr[:-1], counts)
    kept = np.sort(order[ranks < max_active_dims])
    ends = _ends(np.minimum(counts, max_active_dims))
    return SparseMatrix(ends, embeddings.indices[kept], embeddings.values[kept], embeddings.dim)


def _ends(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))


def _frozen(array: ArrayLike, dtype: Any) -> NDArray[Any]:
    given = np.asarray(array)
    whole = np.issubdtype(dtype, np.integer)
    if whole and given.size and (given.dtype.kind not in "iu" or given.max() > np.iinfo(dtype).max):
        raise InputError(f"indices of {given.dtype}, up to {given.max()}; expected integers that fit {dtype.__name__}")
    view = given.astype(dtype, copy=False).view()
    view.setflags(write=False)
    return view


def _as_array(dense: Floats, dtype: Any, copy: bool | None) -> NDArray[Any]:
    if copy is False:
        raise InputError("sparse embeddings have no dense array, so a copy is needed; expected copy=None or True")
    return dense if dtype is None else dense.astype(dtype, copy=False)


def _same_width(widths: Sequence[int], dim: int) -> None:
    for place, width in enumerate(widths):
        if width != dim:
            raise InputError(f"embeddings {place} have {width} dimensions; expected {dim}, as the others")


def _check(indices: NDArray[np.int32], values: Floats, dim: int, breaks: NDArray[np.int64]) -> None:
    """Raise InputError unless all indices are below ``dim`` and ascend, except at ``breaks``, and no value is 0."""
    if dim < 0:
        raise InputError(f"dim is {dim}; expected at least 0")
    if indices.ndim != 1 or indices.shape != values.shape:
        raise InputError(f"indices of shape {indices.shape}, values of shape {values.shape}; expected both (nnz,)")
    if len(indices) and not (indices.min() >= 0 and indices.max() < dim):
        raise InputError(f"indices from {indices.min()} to {indices.max()}; expected 0 to {dim - 1}")
    rising = indices[1:] > indices[:-1]
    rising[breaks[(breaks > 0) & (breaks < len(indices))] - 1] = True
    if not rising.all():
        raise InputError("indices that do not ascend within a row; sort them, and add up values of equal indices")
    if not values.all():
        raise InputError(f"{np.sum(values == 0)} of the values are 0; leave them out, or use SparseMatrix.from_dense")
