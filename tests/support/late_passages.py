"""Token vectors in clusters, and passages of them as a segment holds them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_st_runtime.search.late.codec import TokenCodec
from edge_st_runtime.search.late.finding import Part
from edge_st_runtime.search.late.postings import Postings


def clustered(count: int, dim: int, seed: int = 0, noise: float = 0.5) -> Any:
    """``count`` unit vectors (count, dim) float32 around 40 directions."""
    generator = np.random.default_rng(seed)
    directions = np.random.default_rng(99).standard_normal((40, dim))
    found = directions[generator.integers(0, 40, count)] + noise * generator.standard_normal((count, dim))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def passages(lengths: Sequence[int], dim: int, seed: int = 0) -> list[Any]:
    """Token vectors (tokens, dim) of passages of these lengths."""
    ends = np.cumsum(lengths)
    return np.split(clustered(int(ends[-1]) if len(ends) else 0, dim, seed), ends[:-1])


def part_of(codec: TokenCodec, vectors: Sequence[Any], start: int = 0, allowed: Any = None) -> Part:
    """Passages as a segment holds them."""
    ends = np.cumsum(np.array([len(found) for found in vectors], dtype=np.int64))
    columns = codec.encode(np.concatenate(vectors))
    postings = Postings.of(columns["centroids"][:, 0], ends, len(codec.centroids))
    return Part(codec, columns, ends, postings, start, allowed)


def decoded(part: Part) -> list[Any]:
    """The vectors (tokens, dim) of each passage as they are stored."""
    return np.split(part.codec.decode(part.columns), part.ends[:-1])


def maxsim_of(query: Any, vectors: Any) -> float:
    """MaxSim in float64, of token with token."""
    return sum(
        max(float(np.dot(token, other)) for other in vectors.astype(np.float64)) for token in query.astype(np.float64)
    )
