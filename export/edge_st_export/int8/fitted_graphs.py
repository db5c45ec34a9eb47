"""The float32 graphs of a folder, with a fit for each group of matrix multiplications."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import onnx

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.model.batching import pad_batch
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.model.loading import LoadedRoute, load_model
from edge_st_runtime.model.tasks import Task
from edge_st_runtime.text.tokens import TextOrPair

from ..folder.paths import ONNX_FILE
from ..graph.sharing import unshare_weights
from ..graph.tensors import name_constants_once
from .calibrate import observe
from .fit import Fit, fit_group
from .kept_fits import Kept
from .matmuls import find_groups

#: ordinary texts, and odd ones that a fit must hold for, too
Calibration: TypeAlias = tuple[Sequence[TextOrPair], Sequence[TextOrPair]]
_TOLD = 12  # every so many products it is told how far the fit is


@dataclass(frozen=True, eq=False)
class FittedGraph:
    """The onnx.ModelProto ``model`` of the route in the folder ``path``, and a fit of each of its groups by name.

    The model's weights stay in the file beside the graph.
    """

    path: Path
    model: Any
    fits: dict[str, Fit]


def fit_graphs(folder: Path, texts: Calibration, kept: Kept, say: Callable[[str], None]) -> list[FittedGraph]:
    """Calibrate every graph onnx/model.onnx of ``folder`` on ``texts``, and fit its groups, but for those ``kept``.

    ``say`` is told how far it is.
    """
    loaded = load_model(folder, LoadOptions(backend="onnx", dtype="float32", file_name=ONNX_FILE))
    routes = {loaded.folder.routes[name].path: route for name, route in loaded.routes.items()}
    return [_fit_graph(path, route, texts, kept, say) for path, route in routes.items() if (path / ONNX_FILE).is_file()]


def _fit_graph(
    path: Path, route: LoadedRoute, texts: Calibration, kept: Kept, say: Callable[[str], None]
) -> FittedGraph:
    graph = path / ONNX_FILE
    model = onnx.load(graph, load_external_data=False)
    name_constants_once(model.graph)
    unshare_weights(model.graph, graph.parent)
    groups = {f"{path.name}:{group.name}": group for group in find_groups(model, graph.parent)}
    fits = {name: fit for name, group in groups.items() if (fit := kept.fit(name, group)) is not None}
    missing = [name for name in groups if name not in fits]
    if fits:
        say(f"{len(fits)} of {len(groups)} products were fitted before")
    if missing:
        say(f"observing {sum(map(len, texts))} texts")
    inputs = list(dict.fromkeys(each for name in missing for each in groups[name].inputs))
    seen = [observe(graph, inputs, list(_batches(route, kind))) for kind in texts if missing]
    for number, name in enumerate(missing, 1):
        if number % _TOLD == 0:
            say(f"fitting product {number} of {len(missing)}")
        fits[name] = fit_group(groups[name], *seen)
        kept.keep_fit(name, fits[name])
    return FittedGraph(path, model, {name: fits[name] for name in groups})


def _batches(route: LoadedRoute, texts: Sequence[TextOrPair]) -> Iterator[TokenBatch]:
    """Each text as a batch of one, without padding; texts without tokens are skipped.

    Where queries are filled up with a token that is scored, each text comes once more as such a query.
    """
    tokenizer = route.pipeline.tokenizer
    for task in (Task(), *(task for task in route.tasks.values() if task.expansion is not None)):
        tokens = tokenizer(texts, task.limit(route.limit))
        least = 0 if task.expansion is None else task.expansion.length
        for place, ids in enumerate(tokens.ids):
            type_ids = None if tokens.type_ids is None else [tokens.type_ids[place]]
            if len(ids):
                batch = pad_batch([ids], type_ids, tokenizer.pad_id, pad_left=False, least=least)
                yield batch if task.expansion is None else task.expansion(batch)
