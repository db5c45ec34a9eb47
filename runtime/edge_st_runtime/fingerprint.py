"""The fingerprint: a hash over what decides a vector, and over nothing else.

Two folders with equal vectors by construction (renamed, downloaded again, another graph of the same precision class)
have the same one; other weights, tokenizer, modules, prompts, limit or precision class give another.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .files import read_json, sha256
from .modules import Module

_IGNORED_BY_THE_RUNTIME = ("truncation", "padding")


def fingerprint(
    *,
    weights: str,
    tokenizer: Path,
    modules: Iterable[Module],
    prompts: Mapping[str, str],
    max_seq_length: int | None,
    dtype: str,
) -> str:
    """32 hexadecimal digits over the parts; ``weights`` is a digest, ``tokenizer`` the path of tokenizer.json.

    The precision class is "int8" or "lossless" (float32, float16 and bfloat16 agree to a cosine of 0.9999).
    """
    description = read_json(tokenizer)
    parts = {
        "weights": weights,
        "tokenizer": {key: value for key, value in description.items() if key not in _IGNORED_BY_THE_RUNTIME},
        "modules": [_describe(module) for module in modules],
        "prompts": {name: prompt for name, prompt in sorted(prompts.items()) if prompt},
        "max_seq_length": max_seq_length,
        "precision": "int8" if dtype == "int8" else "lossless",
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def weights_digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    """A digest of tensors (name, dtype, shape, bytes) in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()


def graph_digest(graph: Path) -> str:
    """A digest of a graph file and the weights beside it, for folders without a record."""
    names = (graph.name, graph.with_suffix(".bin").name)  # model.onnx_data, model.onnx.data; openvino_model.bin
    files = sorted(path for path in graph.parent.iterdir() if path.name.startswith(names))
    return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest()


def _describe(module: Module) -> list[Any]:
    """The module's class and fields, arrays by their shape and digest."""
    values = {field.name: getattr(module, field.name) for field in fields(module)}  # type: ignore[arg-type]
    return [type(module).__name__, {name: _value(value) for name, value in values.items()}]


def _value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [value.shape, hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()]
    return value.__name__ if callable(value) else value
