"""Static models: distilled from a teacher's token embeddings."""
