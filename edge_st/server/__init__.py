"""The embedding service: models behind HTTP, in the protocols that clients have already."""
