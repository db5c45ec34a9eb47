"""The model folder that an export writes, and its proof."""
