"""The part of edge-st that runs on the device: read a model folder, tokenize, run a graph, pool, search.

It needs NumPy, tokenizers and one inference engine. `edge_st` is the public interface; of this package only the
exceptions in `errors` are meant to be imported directly.
"""
