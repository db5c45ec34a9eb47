"""What lasts on disk: segments, postings and the vector index."""
