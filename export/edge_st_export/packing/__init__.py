"""Package a model folder as a Python distribution without code: a project folder, or the wheel that it builds."""
