"""`Retriever` by its older path."""

from .retrieval.retriever import Retriever

__all__ = ["Retriever"]
