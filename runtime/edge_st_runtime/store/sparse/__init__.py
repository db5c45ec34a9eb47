"""Inverted indexes: texts by their words, and sparse embeddings by their dimensions."""
