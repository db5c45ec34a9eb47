"""Rows with ids, texts, metadata and vectors in a folder: what the indexes of every kind of vectors share."""
