"""Indexes on disk: a vector index of dense embeddings, and inverted indexes of words and sparse embeddings."""
