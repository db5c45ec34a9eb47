"""The multi-vector index: a vector for each token of a row, with the row's id, text and metadata."""
