"""What to say, and to advise, where a model folder has no graph for what the caller asked for."""

from collections.abc import Sequence

from ..errors import EXPORT, INSTALL_EXPORT
from .graph_names import named_graphs


def no_graph(graphs: Sequence[str], engines: Sequence[str], backend: str, dtype: str) -> str:
    """The message where none of the folder's ``graphs`` suits ``engines`` (those that may run), backend and dtype."""
    if not graphs:
        return (
            "the model has no graph at all, which an engine needs. Make one from its weights, in seconds, without "
            f"PyTorch: {INSTALL_EXPORT}, then: edge-st convert MODEL OUT (other architectures, and to compare it "
            "with the original, with PyTorch: edge-st export MODEL OUT)"
        )
    return (
        f"no graph for backend={backend!r}, dtype={dtype!r} (installed: {', '.join(engines)}); the model has "
        f"{', '.join(graphs)}. {_advice(graphs, engines, backend, dtype)}"
    )


def _advice(graphs: Sequence[str], engines: Sequence[str], backend: str, dtype: str) -> str:
    readable = [name for name in graphs if "openvino" in engines or name.endswith(".onnx")]
    if not readable:
        return "OpenVINO opens them: pip install 'edge-st[openvino]'"
    if not any(named_graphs(readable, engine, frozenset()) for engine in engines):
        return (
            f"Their names do not tell which one is the model. Name it: model_kwargs={{'file_name': {readable[0]!r}}}, "
            "or rename it to model.onnx (an .xml and its .bin: to openvino_model)"
        )
    asked = " and ".join(name for name, value in (("backend", backend), ("dtype", dtype)) if value != "auto")
    leave = f"Leave out {asked}. Or name one" if asked else "Name one"
    return f"{leave}: model_kwargs={{'file_name': …}}. Or make one {EXPORT}{' --dtype int8' * (dtype == 'int8')}"
