"""`SentenceTransformer`, importable from where sentence-transformers has it."""

from .models.sentence_transformer import SentenceTransformer

__all__ = ["SentenceTransformer"]
