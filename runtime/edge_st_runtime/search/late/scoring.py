"""MaxSim of a query with stored passages, by their codes."""

from dataclasses import dataclass

import numpy as np

from ...arrays import Floats, Ids
from .codec import Columns, TokenCodec
from .workspace import Workspace

#: tokens of passages that are decoded at once
_TOKENS = 4096


@dataclass(frozen=True, eq=False)
class Scorer:
    """A ``query`` (tokens, dim), turned, that is compared with what ``codec`` stored in ``columns`` (tokens, width).

    ``near`` (tokens, centroids) are its products with the centroids.
    """

    query: Floats
    near: Floats
    codec: TokenCodec
    columns: Columns
    space: Workspace

    @classmethod
    def of(cls, query: Floats, codec: TokenCodec, columns: Columns, space: Workspace) -> "Scorer":
        """The scorer of a ``query`` (tokens, dim) as its model gave it."""
        turned = codec.turned(query)
        return cls(turned, turned @ codec.centroids.T, codec, columns, space)

    def scores(self, starts: Ids, lengths: Ids) -> Floats:
        """The MaxSim (n,) of passages, whose tokens, one at least, begin at ``starts`` (n,).

        NumPy's matrix multiplication has threads of its own. Raises IndexError for codes beyond the columns or the
        centroids.
        """
        blocks = np.split(np.arange(len(starts)), np.flatnonzero(np.diff(np.cumsum(lengths) // _TOKENS)) + 1)
        found = [self._of_block(starts[block], lengths[block]) for block in blocks if len(block)]
        return np.concatenate([np.empty(0, dtype=np.float32), *found])

    def _of_block(self, starts: Ids, lengths: Ids) -> Floats:
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1]) + np.repeat(starts - ends + lengths, lengths)
        nearest, scales = (np.take(self.columns[name], places, axis=0)[:, 0] for name in ("centroids", "scales"))
        if int(nearest.max()) >= self.near.shape[1]:
            raise IndexError(f"centroid {nearest.max()} of {self.near.shape[1]}")
        shape = (len(self.query), len(places))
        products = self.space.empty("products", shape, np.float32)
        np.matmul(self.query, self._decoded(places).T, out=products)
        products *= scales.astype(np.float32)
        near = self.space.empty("near", shape, np.float32)
        # Where the numbers are known to fit, "clip" spares a copy.
        products += np.take(self.near, nearest.astype(np.intp), axis=1, out=near, mode="clip")
        return np.maximum.reduceat(products, ends - lengths, axis=1).sum(axis=0)

    def _decoded(self, places: Ids) -> Floats:
        """What is left of the vectors (n, dim) at ``places`` (n,), which are in the columns, without its scale."""
        stored = self.columns["codes"]
        codes = self.space.empty("codes", (len(places), stored.shape[1]), stored.dtype)
        np.take(stored, places, axis=0, out=codes, mode="clip")
        return self.codec.levels.decode(codes, self.codec.dim, self.space)
