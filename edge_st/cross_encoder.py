"""`CrossEncoder`, importable from where sentence-transformers has it."""

from .models.cross_encoder import CrossEncoder

__all__ = ["CrossEncoder"]
