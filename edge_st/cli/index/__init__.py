"""The actions of ``edge-st index``."""
