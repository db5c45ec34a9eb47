"""Search of token vectors: their codes, the passages that are worth scoring, and their MaxSim."""
