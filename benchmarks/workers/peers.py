"""The peers, each opened in its own environment: a name → a function from a list of texts to vectors.

``folder`` holds the graphs that all peers run, ``original`` the model as sentence-transformers' torch backend reads it.
``graph`` is the ONNX file, relative to ``folder``. ``threads`` is None where the process' affinity already leaves an
engine just the cores it may use; else it is told, in the way its user would tell it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Encode = Callable[[Any], Any]


@dataclass(frozen=True)
class Setting:
    """What every peer is opened with."""

    folder: str
    original: str
    graph: str
    threads: int | None


def edge_onnx(setting: Setting) -> Encode:
    """edge-st on ONNX Runtime in float32."""
    return _edge(setting, backend="onnx", dtype="float32", model_kwargs={"file_name": setting.graph})


def edge_openvino(setting: Setting) -> Encode:
    """edge-st on OpenVINO in the fastest precision that the folder's record calls lossless."""
    return _edge(setting, backend="openvino", dtype="auto")


def edge_static(setting: Setting) -> Encode:
    """edge-st's static model: ``folder``, or the bundled one where that is empty."""
    from edge_st import SentenceTransformer

    return SentenceTransformer(setting.folder or None).encode


def st_torch(setting: Setting) -> Encode:
    """sentence-transformers on torch."""
    if setting.threads is not None:
        import torch

        torch.set_num_threads(setting.threads)
    return _sentence_transformers(setting.original, "torch", {})


def st_onnx(setting: Setting) -> Encode:
    """sentence-transformers on ONNX Runtime."""
    kwargs: dict[str, Any] = {"file_name": setting.graph, "provider": "CPUExecutionProvider", "export": False}
    if setting.threads is not None:
        import onnxruntime

        kwargs["session_options"] = onnxruntime.SessionOptions()
        kwargs["session_options"].intra_op_num_threads = setting.threads
    return _sentence_transformers(setting.folder, "onnx", kwargs)


def st_openvino(setting: Setting) -> Encode:
    """sentence-transformers on OpenVINO, which chooses the precision by the CPU."""
    limit = {} if setting.threads is None else {"ov_config": {"INFERENCE_NUM_THREADS": str(setting.threads)}}
    return _sentence_transformers(setting.folder, "openvino", {"export": False, **limit})


def fastembed(setting: Setting) -> Encode:
    """fastembed with its own batch size."""
    return _fastembed(setting)


def fastembed_32(setting: Setting) -> Encode:
    """fastembed with sentence-transformers' batch size."""
    return _fastembed(setting, batch_size=32)


PEERS: dict[str, Callable[[Setting], Encode]] = {
    "edge-st onnx": edge_onnx,
    "edge-st openvino": edge_openvino,
    "edge-st static": edge_static,
    "sentence-transformers torch": st_torch,
    "sentence-transformers onnx": st_onnx,
    "sentence-transformers openvino": st_openvino,
    "fastembed": fastembed,
    "fastembed, batches of 32": fastembed_32,
}


def _edge(setting: Setting, **options: Any) -> Encode:
    from edge_st import SentenceTransformer

    return SentenceTransformer(setting.folder, num_threads=setting.threads, **options).encode


def _sentence_transformers(folder: str, backend: Any, model_kwargs: dict[str, Any]) -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, backend=backend, device="cpu", model_kwargs=model_kwargs)
    return lambda texts: model.encode(texts, show_progress_bar=False)


def _fastembed(setting: Setting, **options: int) -> Encode:
    import numpy as np
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="benchmark/model",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(url="https://localhost/unused"),
        dim=384,
        model_file=setting.graph,
    )
    model = TextEmbedding("benchmark/model", specific_model_path=setting.folder, threads=setting.threads)
    return lambda texts: np.array(list(model.embed(texts, **options)))


def open_peer(peer: str, folder: str, original: str, graph: str, threads: int) -> Encode:
    """Open the peer of this name with ``threads`` threads."""
    bounded = threads == os.cpu_count()
    return PEERS[peer](Setting(folder, original, graph, None if bounded else threads))
