"""How fast a model folder's variants run on this machine: measured side by side, and kept as its tuning."""
