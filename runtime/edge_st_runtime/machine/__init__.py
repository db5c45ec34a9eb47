"""This machine: cores, CPU features, processes and what was found out about it before."""
