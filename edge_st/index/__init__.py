"""A corpus that lasts on disk."""

from .corpus import Index

__all__ = ["Index"]
