"""The identity of a loaded model. It is computed when it is asked for: without a record that reads all weights."""

from collections.abc import Mapping
from typing import Any

from edge_st_runtime.engines.signature import MAX_ACTIVE_DIMS
from edge_st_runtime.files.weights import read_safetensors
from edge_st_runtime.model.fingerprint import (
    ModelIdentity,
    RouteIdentity,
    graph_digest,
    joined_digest,
    weights_digest,
)
from edge_st_runtime.model.loading import LoadedModel

from .runner import Runner


def fingerprint_of(runner: Runner, weights: str, settings: Mapping[str, Any]) -> str:
    """The fingerprint of the model with the ``settings`` it has now; ``weights`` is its `digest_of`."""
    return _identity(runner, weights, settings).fingerprint()


def parts_of(runner: Runner, weights: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """The digests of the parts of which `fingerprint_of` is one."""
    return _identity(runner, weights, settings).part_digests()


def _identity(runner: Runner, weights: str, settings: Mapping[str, Any]) -> ModelIdentity:
    model, applied = runner.model, runner.settings
    routes = {
        name: RouteIdentity(
            model.routes[name].pipeline.tokenizer.identity(),
            applied.applied_to(route.modules),
            applied.limits[name],
            model.routes[name].tasks,
        )
        for name, route in model.folder.routes.items()
    }
    dtypes = {route.choice.dtype for route in model.routes.values()}
    return ModelIdentity(
        weights=weights,
        routes=routes,
        router=model.folder.router,
        prompts=settings["prompts"],
        dtype=next((dtype for dtype in ("int4", "int8") if dtype in dtypes), "float32"),
        default_prompt_name=settings["default_prompt_name"],
        max_active_dims=settings.get(MAX_ACTIVE_DIMS),
    )


def digest_of(model: LoadedModel) -> str:
    """A digest of the weights of all first modules: that of the record, else over the files."""
    if model.folder.record is not None:
        return model.folder.record.weights_sha256
    digests = {}
    for name, route in model.folder.routes.items():
        path = route.path / model.routes[name].choice.file
        digests[path] = weights_digest(read_safetensors(path)) if path.suffix == ".safetensors" else graph_digest(path)
    return joined_digest(digests.values())
