"""A corpus that lasts on disk."""

from .index import Index

__all__ = ["Index"]
