"""The device side of edge-st: read a model folder, tokenize, run a graph, pool, search. NumPy and tokenizers only."""
