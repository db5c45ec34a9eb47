"""Token vectors in few bytes: the nearest centroid, and the rest in two, four or eight bits a dimension."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...checks import check_choice
from ...errors import DamagedFileError
from .clusters import centroids_of, nearest_of
from .levels import LEVELS, Levels
from .workspace import Workspace

Columns: TypeAlias = Mapping[str, NDArray[Any]]
#: the ways of storing token vectors, and the bits of a dimension
PRECISIONS = {"int8": 8, "int4": 4, "int2": 2}
DEFAULT_PRECISION = "int4"
_MOST_CENTROIDS, _TOKENS_EACH = 4096, 16
_SAMPLE = 65_536


@dataclass(frozen=True, eq=False)
class TokenCodec:
    """Vectors (dim,), turned by the ``rotation`` (dim, dim), as the number of a centroid and codes of what is left.

    ``centroids`` (count, dim) are of turned vectors. What is left of a vector is stored as levels in ``precision``,
    times a scale of its own. The rotation makes all dimensions alike, so that the same levels suit them; dot products
    do not change by it. Source: ColBERTv2's residual compression (https://arxiv.org/abs/2112.01488).
    """

    precision: str
    rotation: Floats
    centroids: Floats

    @classmethod
    def trained(cls, sample: Floats, precision: str, seed: int = 0) -> "TokenCodec":
        """A codec for vectors such as ``sample`` (n, dim), n being 1 at least; equal for an equal sample.

        Raises OptionError for an unknown ``precision``.
        """
        check_choice("precision", precision, PRECISIONS)
        generator, dim = np.random.default_rng(seed), sample.shape[1]
        rotation = np.linalg.qr(generator.standard_normal((dim, dim)))[0].astype(np.float32)
        count = 2 ** int(np.log2(max(1, min(_MOST_CENTROIDS, len(sample) // _TOKENS_EACH))))
        if len(sample) > _SAMPLE:
            sample = sample[np.sort(generator.choice(len(sample), _SAMPLE, replace=False))]
        return cls(precision, rotation, centroids_of(sample @ rotation, count, generator))

    @classmethod
    def from_parameters(cls, precision: str, dim: int, arrays: Columns) -> "TokenCodec":
        """The codec that gave `parameters`; raises DamagedFileError for arrays that no codec gives."""
        rotation, centroids = arrays.get("rotation"), arrays.get("centroids")
        for name, found in (("rotation", rotation), ("centroids", centroids)):
            right = found is not None and found.dtype == np.float32 and found.ndim == 2 and found.shape[1] == dim
            if not right or found is None or not len(found) or not np.isfinite(found).all():
                shape = "nothing" if found is None else f"{found.dtype} of shape {found.shape}"
                raise DamagedFileError(f"{name} is {shape}; expected finite float32 numbers (n, {dim})")
        assert rotation is not None
        assert centroids is not None
        if len(rotation) != dim or not 1 <= len(centroids) <= _MOST_CENTROIDS:
            raise DamagedFileError(f"there are {len(centroids)} centroids; expected 1 to {_MOST_CENTROIDS}")
        return cls(precision, np.array(rotation), np.array(centroids))

    def parameters(self) -> dict[str, NDArray[Any]]:
        """The arrays that `from_parameters` takes."""
        return {"rotation": self.rotation, "centroids": self.centroids}

    @property
    def dim(self) -> int:
        """The number of dimensions."""
        return len(self.rotation)

    @cached_property
    def levels(self) -> Levels:
        """The levels of what is left of a vector."""
        return LEVELS[PRECISIONS[self.precision]]

    @property
    def columns(self) -> dict[str, tuple[Any, int]]:
        """For each column of codes its dtype, and how many numbers a token has in it."""
        return {
            "codes": (np.uint8, self.levels.width(self.dim)),
            "centroids": (np.uint16, 1),
            "scales": (np.float16, 1),
        }

    @property
    def bytes_per_token(self) -> int:
        """The bytes of one token in all columns."""
        return sum(np.dtype(dtype).itemsize * width for dtype, width in self.columns.values())

    def turned(self, tokens: Floats) -> Floats:
        """Vectors (n, dim) as they are compared with decoded ones."""
        return tokens @ self.rotation

    def encode(self, tokens: Floats) -> dict[str, NDArray[Any]]:
        """The columns (n, width) of ``tokens`` (n, dim)."""
        turned = self.turned(tokens)
        nearest = nearest_of(turned, self.centroids)
        codes, scales = self.levels.encode(turned - self.centroids[nearest])
        return {"codes": codes, "centroids": nearest[:, None], "scales": scales[:, None]}

    def decode(self, columns: Columns) -> Floats:
        """The vectors (n, dim) of ``columns`` (n, width)."""
        rest = self.levels.decode(columns["codes"], self.dim, Workspace()) * columns["scales"].astype(np.float32)
        turned = self.centroids[columns["centroids"][:, 0]] + rest
        return np.asarray(turned @ self.rotation.T, dtype=np.float32)
