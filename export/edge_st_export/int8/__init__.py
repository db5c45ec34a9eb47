"""Graphs that compute in int8: calibrated, fitted, and written only within a gate."""
