"""all-MiniLM-L6-v2 as data for edge-st, which finds the folder model by an entry point: nothing to import."""
