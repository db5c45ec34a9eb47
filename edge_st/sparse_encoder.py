"""`SparseEncoder`, importable from where sentence-transformers has it."""

from .models.sparse_encoder import SparseEncoder

__all__ = ["SparseEncoder"]
