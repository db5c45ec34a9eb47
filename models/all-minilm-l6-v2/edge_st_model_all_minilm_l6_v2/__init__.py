"""Data of the model all-MiniLM-L6-v2, nothing to import: edge-st finds the folder model by an entry point."""
