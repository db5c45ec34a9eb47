"""Hybrid retrieval: dense vectors, sparse vectors and words, fused and reranked."""
