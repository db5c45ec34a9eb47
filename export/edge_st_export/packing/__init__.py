"""A model folder as a Python distribution that holds data alone: a project folder, and the wheel that it builds."""
