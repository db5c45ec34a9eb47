"""A corpus on disk: see `Index`."""

from .corpus import Index

__all__ = ["Index"]
