"""Finished embeddings: normalized, quantized, compared."""
