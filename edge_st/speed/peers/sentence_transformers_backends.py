"""sentence-transformers on each of its backends, and in its int8."""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .peer import Encode, Setting

#: the file that its export function for this kind of CPU writes
QINT8 = "onnx/model_qint8_avx512_vnni.onnx"
OPENVINO_INT8 = "openvino/openvino_model_qint8_quantized.xml"
_SAMPLES = 300


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
        return [[(hit["corpus_id"], float(hit["score"])) for hit in hits] for hits in found]

    return rank


def encoding_tokens(model: Any) -> Encode:
    """Run ``model.encode_document`` on texts, and ``model.encode_query`` on those of {"queries": texts}."""

    def encode(given: Any) -> Any:
        queries = isinstance(given, dict)
        encode, texts = (model.encode_query, given["queries"]) if queries else (model.encode_document, given)
        return encode(texts, show_progress_bar=False, convert_to_numpy=True)

    return encode


TASKS = {
    "dense": Task("SentenceTransformer", encoding),
    "sparse": Task("SparseEncoder", encoding),
    "multi-vector": Task("MultiVectorEncoder", encoding_tokens),
    "rerank": Task("CrossEncoder", ranking, [("a first query", ["a first text", "a second"])]),
}


def on_torch(setting: Setting) -> Encode:
    """sentence-transformers on torch."""
    if setting.threads is not None:
        import torch

        torch.set_num_threads(setting.threads)
    return _open(setting, setting.original, "torch", {})


def on_onnx(setting: Setting) -> Encode:
    """sentence-transformers on ONNX Runtime. It exports the model itself if ``folder`` has no graph."""
    there = Path(setting.folder, setting.graph).is_file()
    kwargs: dict[str, Any] = {"provider": "CPUExecutionProvider", "export": not there}
    if there:
        kwargs["file_name"] = setting.graph
    if setting.threads is not None:
        import onnxruntime

        kwargs["session_options"] = onnxruntime.SessionOptions()
        kwargs["session_options"].intra_op_num_threads = setting.threads
    return _open(setting, setting.folder, "onnx", kwargs)


def on_openvino(setting: Setting) -> Encode:
    """sentence-transformers on OpenVINO, which chooses the precision for the CPU. It exports as ``on_onnx`` does."""
    kwargs: dict[str, Any] = {"export": not list(Path(setting.folder).glob("openvino/*.xml"))}
    if setting.graph.endswith(".xml"):
        kwargs["file_name"] = setting.graph
    if setting.threads is not None:
        kwargs["ov_config"] = {"INFERENCE_NUM_THREADS": str(setting.threads)}
    return _open(setting, setting.folder, "openvino", kwargs)


def make_qint8(setting: Setting, target: Path) -> None:
    """Its dynamic int8 for AVX-512 VNNI, of the graph that all ONNX peers run."""
    from sentence_transformers import export_dynamic_quantized_onnx_model

    _copy(setting, target)
    kwargs = {"file_name": setting.graph, "provider": "CPUExecutionProvider", "export": False}
    export_dynamic_quantized_onnx_model(_model(setting, setting.folder, "onnx", kwargs), "avx512_vnni", str(target))


def make_openvino_int8(setting: Setting, target: Path) -> None:
    """Its static int8, calibrated with as many texts as by default, but with the given ones."""
    from optimum.intel import OVQuantizationConfig
    from sentence_transformers import export_static_quantized_openvino_model

    _copy(setting, target)
    model = _model(setting, setting.folder, "openvino", {"export": False})
    with tempfile.TemporaryDirectory() as folder:
        rows = [json.dumps({"text": text.replace("\n", " ")}) for text in setting.texts[:_SAMPLES]]
        Path(folder, "train.jsonl").write_text("\n".join(rows), encoding="utf-8")
        config = OVQuantizationConfig(num_samples=len(rows))
        export_static_quantized_openvino_model(model, config, str(target), folder, "default", "train", "text")


def _copy(setting: Setting, target: Path) -> None:
    """The exported folder without its graphs."""
    ignored = shutil.ignore_patterns("onnx", "openvino", "edge_st.json")
    shutil.copytree(setting.folder, target, ignore=ignored, dirs_exist_ok=True)


def _model(setting: Setting, folder: str, backend: str, model_kwargs: dict[str, Any]) -> Any:
    import sentence_transformers

    made = getattr(sentence_transformers, TASKS[setting.task].name)
    return made(folder, backend=backend, device="cpu", model_kwargs=model_kwargs)


def _open(setting: Setting, folder: str, backend: str, model_kwargs: dict[str, Any]) -> Encode:
    return TASKS[setting.task].ask(_model(setting, folder, backend, model_kwargs))
