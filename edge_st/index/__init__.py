"""A corpus on disk: see `Index`, and `MultiVectorIndex` for token vectors."""

from .corpus import Index
from .multi_vector import MultiVectorIndex

__all__ = ["Index", "MultiVectorIndex"]
