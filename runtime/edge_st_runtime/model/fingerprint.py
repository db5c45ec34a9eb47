"""The fingerprint: a hash over all that decides a vector, and over nothing else.

Folders that give equal vectors by construction have the same fingerprint: a renamed one, one that was downloaded
again, one with another graph of the same precision class. Other weights, tokenizer, modules, routes, prompts, limit or
precision class give another fingerprint.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.reading import sha256
from ..modules.router import Router
from ..modules.sparse import SparseAutoEncoder
from ..modules.specs import Module
from .graph_files import weight_files
from .tasks import Task


@dataclass(frozen=True, eq=False)
class RouteIdentity:
    """What decides the vectors of one route, apart from its weights; ``tokenizer`` is its `Tokenizer.identity`.

    ``tasks`` are those that have a limit of their own, or an expansion.
    """

    tokenizer: Mapping[str, Any]
    modules: Iterable[Module]
    max_seq_length: int | None
    tasks: Mapping[str, Task] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelIdentity:
    """What decides the vectors of a model; ``weights`` is a digest of the weights of all first modules.

    The default prompt is counted under an empty name. ``max_active_dims`` is the folder's setting of this name; it is
    counted where it is not the model's own number. Arguments of a call (``truncate_dim``,
    ``normalize_embeddings``, ``precision``) are not included. ``dtype`` is reduced to its precision class: "int4",
    "int8" or "lossless" (float32, float16 and bfloat16 agree to a cosine of 0.9999).
    """

    weights: str
    routes: Mapping[str, RouteIdentity]
    router: Router | None
    prompts: Mapping[str, str]
    dtype: str
    default_prompt_name: str | None = None
    max_active_dims: int | None = None

    def fingerprint(self) -> str:
        """32 hexadecimal digits over all parts."""
        return _digest(self._parts())[:32]

    def part_digests(self) -> dict[str, str]:
        """A digest of each part of the fingerprint, to say which parts of two models differ."""
        parts = self._parts()
        described: Mapping[str, Mapping[str, Any]] = parts.pop("roads")
        for part in ("tokenizer", "modules", "max_seq_length", "tasks"):
            found = {name: route[part] for name, route in described.items() if part in route}
            parts |= {part: found} if found else {}
        return {name: _digest(part)[:16] for name, part in parts.items()}

    def _parts(self) -> dict[str, Any]:
        routes, router = self.routes, self.router
        default = {} if self.default_prompt_name is None else {"": self.prompts.get(self.default_prompt_name)}
        modules = (module for route in routes.values() for module in route.modules)
        own = (module.k for module in modules if isinstance(module, SparseAutoEncoder))
        parts: dict[str, Any] = {
            "weights": self.weights,
            # the key is older than the word route; another one would change every fingerprint
            "roads": {name: _describe_route(route) for name, route in routes.items()},
            "router": router and [router.default, sorted(map(str, (router.mappings or {}).items()))],
            "prompts": {name: prompt for name, prompt in {**self.prompts, **default}.items() if prompt},
            "precision": self.dtype if self.dtype in ("int4", "int8") else "lossless",
        }
        if self.max_active_dims not in (None, *own):
            parts["max_active_dims"] = self.max_active_dims
        return parts


def _digest(part: Any) -> str:
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()


def weights_digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    """A digest of tensors (name, dtype, shape, bytes) in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()


def joined_digest(digests: Iterable[str]) -> str:
    """One digest for several; a single one is returned as it is."""
    digests = list(digests)
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def graph_digest(graph: Path) -> str:
    """A digest of a graph file, the weights beside it and those that it names, for folders without edge_st.json."""
    names = (graph.name, graph.with_suffix(".bin").name)  # model.onnx_data, model.onnx.data; openvino_model.bin
    beside = {path for path in graph.parent.iterdir() if path.name.startswith(names) and path.is_file()}
    files = sorted(beside.union(weight_files(graph)))
    return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest()


def _describe_route(route: RouteIdentity) -> dict[str, Any]:
    tasks = {name: _describe(task) for name, task in route.tasks.items()}
    return {
        "tokenizer": route.tokenizer,
        "modules": [_describe(module) for module in route.modules],
        "max_seq_length": route.max_seq_length,
        **({"tasks": tasks} if tasks else {}),
    }


def _describe(spec: Any) -> list[Any]:
    """The class and fields of a module or activation; arrays are described by their shape and digest."""
    values = {field.name: getattr(spec, field.name) for field in fields(spec)}
    return [type(spec).__name__, {name: _value(value) for name, value in values.items()}]


def _value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [value.shape, hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()]
    if is_dataclass(value):
        return _describe(value)
    if isinstance(value, tuple):
        return list(map(_value, value))
    return value.__name__ if callable(value) else value
