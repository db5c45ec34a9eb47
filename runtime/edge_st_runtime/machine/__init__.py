"""This machine: its cores and CPU features, its processes, and cached measurements of it."""
