"""Tiny model folders with several variants, whose records fit them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import quantize_dynamic

from tests.support.tiny_models import TinyModel, graph_entry, write_record

FLOAT32, INT8 = "onnx/model.onnx", "onnx/model_int8.onnx"
TEXTS = ["the quick brown fox", "seven small boats", "a lake"]


def changed(path: Path, by: float) -> Path:
    """The ONNX file at ``path`` with changed weights."""
    model = onnx.load(str(path))
    (weights,) = (each for each in model.graph.initializer if each.name == "scaled_mix")
    values = numpy_helper.to_array(weights)
    noise = np.random.default_rng(3).standard_normal(values.shape).astype(np.float32)
    weights.CopyFrom(numpy_helper.from_array((values + by * noise).astype(np.float32), "scaled_mix"))
    onnx.save(model, str(path))
    return path


def quantize(path: Path) -> Path:
    """The ONNX file at ``path`` with integer products, and one scale for all texts of a batch."""
    quantize_dynamic(path, path, op_types_to_quantize=["MatMul"])
    return path


def unknown_operator(path: Path) -> Path:
    """The ONNX file at ``path`` with an operator that no engine has."""
    model = onnx.load(str(path))
    model.graph.node[-1].op_type = "Tanhest"
    model.graph.node[-1].domain = "a.domain.of.its.own"
    model.opset_import.append(onnx.helper.make_opsetid("a.domain.of.its.own", 1))
    onnx.save(model, str(path))
    return path


def golden(vectors: NDArray[Any], texts: Sequence[Any] = TEXTS) -> dict[str, Any]:
    """The golden texts of a record with the vectors of the original."""
    return {"texts": list(texts), "vectors": [{"prompt_name": None, "task": None, "embeddings": vectors.tolist()}]}


def save_variants(
    folder: Path,
    off: float = 0.001,
    model: TinyModel = TinyModel(graph_files=(FLOAT32, INT8)),  # noqa: B008 - frozen
    prompt: str = "",
    **record: Any,
) -> Path:
    """A folder with a float32 graph, and one called int8 whose weights are off by ``off``."""
    model.save(folder)
    changed(folder / INT8, off)
    return write_variants(folder, golden(model.means([prompt + text for text in TEXTS])), **record)


def write_variants(folder: Path, vectors: Mapping[str, Any], **record: Any) -> Path:
    """The record of a folder of `save_variants` or with the same graphs."""
    entries = [graph_entry(FLOAT32, "onnx"), graph_entry(INT8, "onnx", "int8", 0.97)]
    there = [entry for entry in entries if (folder / entry["file"]).is_file()]
    write_record(folder, **{"graphs": there, "golden": vectors, **record})
    return folder
