"""A model folder: read, a graph chosen for this machine, tested and run."""
