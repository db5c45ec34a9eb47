"""The original model in PyTorch: found, loaded, and run on the comparison texts."""
