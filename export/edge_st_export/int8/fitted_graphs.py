"""A float32 graph of the folder with what its products are quantized by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.model.batching import pad_batch
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.model.loading import LoadedRoute, load_model
from edge_st_runtime.text.tokens import TextOrPair

from ..folder.paths import ONNX_FILE
from .calibrate import watch
from .fit import Fit, fit_group
from .matmuls import find_groups
from .tensors import name_constants_once


@dataclass(frozen=True, eq=False)
class Subject:
    """The onnx.ModelProto ``model`` of the route in the folder ``path``, and a fit of each of its groups by name.

    The model's weights stay in the file beside its own.
    """

    path: Path
    model: Any
    fits: dict[str, Fit]


def fitted(folder: Path, texts: Sequence[TextOrPair]) -> list[Subject]:
    """Fit every graph onnx/model.onnx of ``folder`` to ``texts``."""
    loaded = load_model(folder, LoadOptions(backend="onnx", dtype="float32", file_name=ONNX_FILE))
    routes = {loaded.folder.routes[name].path: route for name, route in loaded.routes.items()}
    return [_fitted(path, route, texts) for path, route in routes.items() if (path / ONNX_FILE).is_file()]


def _fitted(path: Path, route: LoadedRoute, texts: Sequence[TextOrPair]) -> Subject:
    graph = path / ONNX_FILE
    model = onnx.load(graph, load_external_data=False)
    name_constants_once(model.graph)
    groups = find_groups(model, graph.parent)
    names = list(dict.fromkeys(name for group in groups for name in group.inputs))
    seen = watch(graph, names, list(_batches(route, texts))) if groups else {}
    return Subject(path, model, {f"{path.name}:{group.name}": fit_group(group, seen) for group in groups})


def _batches(route: LoadedRoute, texts: Sequence[TextOrPair]) -> Iterator[TokenBatch]:
    """Each text that has tokens as a batch of its own, without padding."""
    tokenizer = route.pipeline.tokenizer
    tokens = tokenizer(texts, route.limit)
    for place, ids in enumerate(tokens.ids):
        type_ids = None if tokens.type_ids is None else [tokens.type_ids[place]]
        if len(ids):
            yield pad_batch([ids], type_ids, tokenizer.pad_id, pad_left=False)
