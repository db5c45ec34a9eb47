"""Functions that open the peers, each in its own environment. They return a function from inputs to outputs.

The task chooses the class and the inputs: "dense" and "sparse" take a text or a list of texts, "rerank" takes (query,
documents) pairs. ``folder`` holds the graphs that all peers run, ``original`` the model for sentence-transformers'
torch backend. ``graph`` is the ONNX file, relative to ``folder``. ``threads`` is None where the process' affinity
already limits an engine to the right cores; otherwise the engine is told the number in its own way.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Encode = Callable[[Any], Any]


@dataclass(frozen=True)
class Setting:
    """The arguments to open a peer."""

    task: str
    folder: str
    original: str
    graph: str
    threads: int | None


@dataclass(frozen=True)
class Task:
    """A class of edge-st and sentence-transformers, the function that runs it, and a first input."""

    name: str
    ask: Callable[[Any], Encode]
    first: Any = "a first text"


def encoding(model: Any) -> Encode:
    """Run ``model.encode`` on texts."""
    return lambda texts: model.encode(texts, show_progress_bar=False)


def ranking(model: Any) -> Encode:
    """Run ``model.rank`` on queries with documents; outputs are (corpus_id, score) pairs, best first."""

    def rank(searches: Sequence[tuple[str, list[str]]]) -> list[list[tuple[int, float]]]:
        found = [model.rank(query, documents, show_progress_bar=False) for query, documents in searches]
        return [[(hit["corpus_id"], hit["score"]) for hit in hits] for hits in found]

    return rank


TASKS = {
    "dense": Task("SentenceTransformer", encoding),
    "sparse": Task("SparseEncoder", encoding),
    "rerank": Task("CrossEncoder", ranking, [("a first query", ["a first text", "a second"])]),
}


def edge_onnx(setting: Setting) -> Encode:
    """edge-st on ONNX Runtime in float32."""
    return _edge(setting, backend="onnx", dtype="float32", model_kwargs={"file_name": setting.graph})


def edge_openvino(setting: Setting) -> Encode:
    """edge-st on OpenVINO in its fastest lossless precision."""
    return _edge(setting, backend="openvino", dtype="auto")


def edge_in(backend: str, dtype: str) -> Callable[[Setting], Encode]:
    """edge-st on this engine in this precision."""
    return lambda setting: _edge(setting, backend=backend, dtype=dtype)


def edge_static(setting: Setting) -> Encode:
    """edge-st's static model in ``folder``; the bundled one where that is empty."""
    from edge_st import SentenceTransformer

    return SentenceTransformer(setting.folder or None).encode


def st_torch(setting: Setting) -> Encode:
    """sentence-transformers on torch."""
    if setting.threads is not None:
        import torch

        torch.set_num_threads(setting.threads)
    return _sentence_transformers(setting, setting.original, "torch", {})


def st_onnx(setting: Setting) -> Encode:
    """sentence-transformers on ONNX Runtime. It exports the model itself if ``folder`` has no graph."""
    there = Path(setting.folder, setting.graph).is_file()
    kwargs: dict[str, Any] = {"provider": "CPUExecutionProvider", "export": not there}
    if there:
        kwargs["file_name"] = setting.graph
    if setting.threads is not None:
        import onnxruntime

        kwargs["session_options"] = onnxruntime.SessionOptions()
        kwargs["session_options"].intra_op_num_threads = setting.threads
    return _sentence_transformers(setting, setting.folder, "onnx", kwargs)


def st_openvino(setting: Setting) -> Encode:
    """sentence-transformers on OpenVINO, which chooses the precision for the CPU. It exports as ``st_onnx`` does."""
    kwargs: dict[str, Any] = {"export": not list(Path(setting.folder).glob("openvino/*.xml"))}
    if setting.graph.endswith(".xml"):
        kwargs["file_name"] = setting.graph
    if setting.threads is not None:
        kwargs["ov_config"] = {"INFERENCE_NUM_THREADS": str(setting.threads)}
    return _sentence_transformers(setting, setting.folder, "openvino", kwargs)


def fastembed(setting: Setting) -> Encode:
    """fastembed with its own batch size."""
    return _fastembed(setting)


def fastembed_32(setting: Setting) -> Encode:
    """fastembed with sentence-transformers' batch size."""
    return _fastembed(setting, batch_size=32)


def ctranslate2_int8(setting: Setting) -> Encode:
    """CTranslate2 in int8; ``folder`` is what its converter wrote."""
    from other_engines import ctranslate2

    return ctranslate2(Path(setting.folder), Path(setting.original), setting.threads)


def llama(setting: Setting) -> Encode:
    """llama.cpp; ``graph`` is the GGUF file within ``folder``."""
    from other_engines import llama_cpp

    return llama_cpp(Path(setting.folder, setting.graph), Path(setting.original), setting.threads)


PEERS: dict[str, Callable[[Setting], Encode]] = {
    "edge-st onnx": edge_onnx,
    "edge-st openvino": edge_openvino,
    "edge-st onnx int8": edge_in("onnx", "int8"),
    "edge-st openvino float32": edge_in("openvino", "float32"),
    "edge-st openvino bfloat16": edge_in("openvino", "bfloat16"),
    "edge-st openvino int8": edge_in("openvino", "int8"),
    "edge-st static": edge_static,
    "sentence-transformers torch": st_torch,
    "sentence-transformers onnx": st_onnx,
    "sentence-transformers openvino": st_openvino,
    "fastembed": fastembed,
    "fastembed, batches of 32": fastembed_32,
    "ctranslate2 int8": ctranslate2_int8,
    "llama.cpp": llama,
}


def _edge(setting: Setting, **options: Any) -> Encode:
    import edge_st

    task = TASKS[setting.task]
    return task.ask(getattr(edge_st, task.name)(setting.folder, num_threads=setting.threads, **options))


def _sentence_transformers(setting: Setting, folder: str, backend: str, model_kwargs: dict[str, Any]) -> Encode:
    import sentence_transformers

    task = TASKS[setting.task]
    made = getattr(sentence_transformers, task.name)
    return task.ask(made(folder, backend=backend, device="cpu", model_kwargs=model_kwargs))


def _fastembed(setting: Setting, **options: int) -> Encode:
    import numpy as np
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType
    from other_engines import pools_first

    TextEmbedding.add_custom_model(
        model="benchmark/model",
        pooling=PoolingType.CLS if pools_first(Path(setting.original)) else PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(url="https://localhost/unused"),
        dim=json.loads(Path(setting.folder, "config.json").read_text(encoding="utf-8"))["hidden_size"],
        model_file=setting.graph,
    )
    model = TextEmbedding("benchmark/model", specific_model_path=setting.folder, threads=setting.threads)
    return lambda texts: np.array(list(model.embed(texts, **options)))


def open_peer(peer: str, task: str, folder: str, original: str, graph: str, threads: int) -> Encode:
    """Open the peer of this name with ``threads`` threads, and run a first input.

    The peers of the task "search" are in searchers.py.
    """
    if task == "search":
        from searchers import open_searcher

        search = open_searcher(peer, Path(folder), threads)
        search(0)
        return search
    bounded = threads == os.cpu_count()
    encode = PEERS[peer](Setting(task, folder, original, graph, None if bounded else threads))
    encode(TASKS[task].first)
    return encode


def array(found: Any) -> Any:
    """The output of a peer in a form that NumPy saves: sparse rows of edge-st or of torch become dense ones."""
    return found.to_dense() if hasattr(found, "to_dense") else found
