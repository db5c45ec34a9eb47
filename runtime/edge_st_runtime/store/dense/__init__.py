"""The vector index: dense embeddings with ids, texts and metadata."""
