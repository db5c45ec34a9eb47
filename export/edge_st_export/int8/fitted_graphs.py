"""The float32 graphs of a folder, with a fit for each group of matrix multiplications."""

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
from ..graph.sharing import unshare_weights
from ..graph.tensors import name_constants_once
from .calibrate import observe
from .fit import Fit, fit_group
from .matmuls import find_groups


@dataclass(frozen=True, eq=False)
class FittedGraph:
    """The onnx.ModelProto ``model`` of the route in the folder ``path``, and a fit of each of its groups by name.

    The model's weights stay in the file beside the graph.
    """

    path: Path
    model: Any
    fits: dict[str, Fit]


def fit_graphs(folder: Path, texts: Sequence[TextOrPair]) -> list[FittedGraph]:
    """Calibrate every graph onnx/model.onnx of ``folder`` on ``texts``, and fit its groups."""
    loaded = load_model(folder, LoadOptions(backend="onnx", dtype="float32", file_name=ONNX_FILE))
    routes = {loaded.folder.routes[name].path: route for name, route in loaded.routes.items()}
    return [_fit_graph(path, route, texts) for path, route in routes.items() if (path / ONNX_FILE).is_file()]


def _fit_graph(path: Path, route: LoadedRoute, texts: Sequence[TextOrPair]) -> FittedGraph:
    graph = path / ONNX_FILE
    model = onnx.load(graph, load_external_data=False)
    name_constants_once(model.graph)
    unshare_weights(model.graph, graph.parent)
    groups = find_groups(model, graph.parent)
    names = list(dict.fromkeys(name for group in groups for name in group.inputs))
    seen = observe(graph, names, list(_batches(route, texts))) if groups else {}
    return FittedGraph(path, model, {f"{path.name}:{group.name}": fit_group(group, seen) for group in groups})


def _batches(route: LoadedRoute, texts: Sequence[TextOrPair]) -> Iterator[TokenBatch]:
    """Each text as a batch of one, without padding; texts without tokens are skipped."""
    tokenizer = route.pipeline.tokenizer
    tokens = tokenizer(texts, route.limit)
    for place, ids in enumerate(tokens.ids):
        type_ids = None if tokens.type_ids is None else [tokens.type_ids[place]]
        if len(ids):
            yield pad_batch([ids], type_ids, tokenizer.pad_id, pad_left=False)
