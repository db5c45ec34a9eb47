"""Repositories for tests of downloads, and small helpers around them."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from edge_st_runtime.model.record import FORMAT_VERSION

NAME = "sentence-transformers/tiny"
CONFIGS = {
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
}
ONNX = {"onnx/model.onnx", "onnx/model.onnx_data"}
OPENVINO = {"openvino/openvino_model.bin", "openvino/openvino_model.xml"}


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def modules(*rows: tuple[str, str]) -> bytes:
    return as_json([{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in rows])


def tokenizer() -> bytes:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "good": 1, "day": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str().encode()


def dense_model() -> dict[str, bytes]:
    """The files of a transformer's repository, including some that it does not need; graphs are opaque bytes."""
    unused = [
        "README.md",
        "data_config.json",
        "model.safetensors",
        "onnx/model_O3.onnx",
        "pytorch_model.bin",
        "vocab.txt",
    ]
    files = {name: name.encode() * 10 for name in [*unused, *ONNX, *OPENVINO]}
    files |= {name: as_json({"distinct": name}) for name in CONFIGS}
    files["modules.json"] = modules(("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    files["tokenizer.json"] = tokenizer()
    return files


def safetensors(tensors: dict[str, Any]) -> bytes:
    arrays = {name: np.asarray(tensor, dtype="<f4") for name, tensor in tensors.items()}
    body, header = b"", {}
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(body), len(body) + array.nbytes]}
        body += array.tobytes()
    head = as_json(header)
    return len(head).to_bytes(8, "little") + head + body


def static_model() -> dict[str, bytes]:
    """A repository of a static model that really runs: "good" is [0, 1, 0, 0], "day" [0, 0, 1, 0]."""
    return {
        "modules.json": modules(("", "StaticEmbedding")),
        "config_sentence_transformers.json": b"{}",
        "tokenizer.json": tokenizer(),
        "model.safetensors": safetensors({"embedding.weight": np.eye(3, 4)}),
        "onnx/model.onnx": b"not needed",
        "README.md": b"# Static",
    }


def model_in_folders() -> dict[str, bytes]:
    """The older layout with the transformer in a folder, and a module with weights of its own."""
    files = {f"0_Transformer/{name}": body for name, body in dense_model().items() if name != "1_Pooling/config.json"}
    rows = ("0_Transformer", "Transformer"), ("1_Pooling", "Pooling"), ("2_LayerNorm", "LayerNorm")
    norm = safetensors({"norm.weight": np.ones(4), "norm.bias": np.zeros(4)})
    parts = {"1_Pooling/config.json": b"{}", "2_LayerNorm/config.json": b"{ }", "2_LayerNorm/model.safetensors": norm}
    return files | parts | {"modules.json": modules(*rows)}


def record(files: dict[str, bytes], graphs: list[str]) -> bytes:
    """An edge_st.json over ``files`` with ``graphs`` for ONNX Runtime, best first."""
    checksums = {name: {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)} for name, body in files.items()}
    entries = [{"file": file, "engine": "onnx", "dtype": "float32", "cosine_min": 1.0} for file in graphs]
    return as_json(
        {
            "format_version": FORMAT_VERSION,
            "task": "sentence-embedding",
            "weights_sha256": "0",
            "fingerprint": "0",
            "files": checksums,
            "graphs": entries,
            "golden": {"texts": [], "vectors": []},
        }
    )


def contents(folder: Path) -> set[str]:
    """The names of all files below ``folder``."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def python(code: str, **environment: str) -> "subprocess.Popen[str]":
    """Run a new interpreter with the paths and environment of this one."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], env=variables, stdout=pipe, stderr=pipe, text=True)
