"""The modules after the graph, as frozen specs and pure functions, and the models that need no graph."""
