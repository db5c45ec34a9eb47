"""Libraries that run the same models: how each is opened and asked.

The package imports nothing of edge_st, and a peer only once it is opened: benchmarks/ uses it in environments that hold
one peer each, `edge-st bench --peers` in the one where it runs.
"""

from .peer import Encode, Peer, Setting, made_folder, opened, prepare
from .sentence_transformers_backends import TASKS
from .table import PEERS

__all__ = ["PEERS", "TASKS", "Encode", "Peer", "Setting", "made_folder", "opened", "prepare"]
