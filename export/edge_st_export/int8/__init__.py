"""Graphs that compute in int8: calibrated, fitted, and written only if they pass a gate."""
