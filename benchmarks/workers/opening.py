"""Open a peer in its own environment: edge-st, or one of the package edge_st/speed/peers, which is on the path.

The function that comes back takes inputs and returns outputs, as edge_st/speed/peers/peer.py describes them.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers import PEERS, TASKS, Encode, Setting, opened


def edge_onnx(setting: Setting) -> Encode:
    """edge-st on ONNX Runtime in float32."""
    return _edge(setting, backend="onnx", dtype="float32", model_kwargs={"file_name": setting.graph})


def edge_openvino(setting: Setting) -> Encode:
    """edge-st on OpenVINO in its fastest lossless precision."""
    return _edge(setting, backend="openvino", dtype="auto")


def edge_in(backend: str, dtype: str) -> Callable[[Setting], Encode]:
    """edge-st on this engine in this precision."""
    return lambda setting: _edge(setting, backend=backend, dtype=dtype)


def edge_default(setting: Setting) -> Encode:
    """edge-st as the folder says: its own engine and precision."""
    return _edge(setting)


def edge_static(setting: Setting) -> Encode:
    """edge-st's static model in ``folder``; the bundled one where that is empty."""
    from edge_st import SentenceTransformer

    return SentenceTransformer(setting.folder or None).encode


EDGE: dict[str, Callable[[Setting], Encode]] = {
    "edge-st onnx": edge_onnx,
    "edge-st openvino": edge_openvino,
    "edge-st onnx int8": edge_in("onnx", "int8"),
    "edge-st openvino float32": edge_in("openvino", "float32"),
    "edge-st openvino bfloat16": edge_in("openvino", "bfloat16"),
    "edge-st openvino int8": edge_in("openvino", "int8"),
    "edge-st default": edge_default,
    "edge-st static": edge_static,
}


def _edge(setting: Setting, **options: Any) -> Encode:
    import edge_st

    task = TASKS[setting.task]
    return task.ask(getattr(edge_st, task.name)(setting.folder, num_threads=setting.threads, **options))


def setting(threads: int, texts: list[str], **given: Any) -> Setting:
    """The setting with ``threads`` threads, of which an engine is not told where it takes all cores anyway."""
    bounded = threads == os.cpu_count()
    return Setting(**given, threads=None if bounded else threads, texts=tuple(texts))


def open_peer(peer: str, **given: Any) -> Encode:
    """Open the peer of this name with the arguments of `setting`, and run a first input.

    The peers of the task "search" are in searchers.py, those of "late-search" in late_searchers.py.
    """
    if given["task"] == "late-search":
        from late_searchers import open_searcher as open_late_searcher

        search = open_late_searcher(peer, Path(given["folder"]))
        search(0)
        return search
    if given["task"] == "search":
        from searchers import open_searcher

        search = open_searcher(peer, Path(given["folder"]), given["threads"])
        search(0)
        return search
    found = setting(**given)
    encode = EDGE[peer](found) if peer in EDGE else opened(peer, PEERS[peer], found)
    encode(TASKS[found.task].first)
    return encode


def array(found: Any) -> Any:
    """The output of a peer in a form that NumPy saves: sparse rows of edge-st or of torch become dense ones.

    The token vectors of several texts become one array (tokens, dim).
    """
    if isinstance(found, list) and getattr(found[0], "ndim", 0) == 2:
        import numpy as np

        return np.concatenate(found)
    to_dense = getattr(found, "to_dense", None)
    return found if to_dense is None else to_dense()
