"""Hybrid retrieval: dense, sparse and keyword search, fused and reranked."""
