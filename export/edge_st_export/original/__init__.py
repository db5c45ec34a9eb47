"""The original model in PyTorch: found, loaded and asked."""
