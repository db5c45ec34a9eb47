"""What comes after the graph: modules as frozen specifications and pure functions."""
