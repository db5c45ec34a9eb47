"""The identity of a loaded model. Imported when it is asked for: without a record all weights are read for it."""

from collections.abc import Callable, Mapping

from edge_st_runtime.files.weights import read_safetensors
from edge_st_runtime.model.fingerprint import RouteIdentity, fingerprint, graph_digest, joined_digest, weights_digest
from edge_st_runtime.model.loading import LoadedModel
from edge_st_runtime.modules.specs import Module

Modules = tuple[Module, ...]


def fingerprint_of(
    model: LoadedModel,
    weights: str,
    limits: Mapping[str, int | None],
    prompts: Mapping[str, str],
    default_prompt_name: str | None,
    as_set: Callable[[Modules], Modules],
) -> str:
    """The fingerprint of ``model`` with these limits and prompts, and its modules as ``as_set`` leaves them."""
    routes = {
        name: RouteIdentity(model.routes[name].pipeline.tokenizer.identity(), as_set(route.modules), limits[name])
        for name, route in model.folder.routes.items()
    }
    dtypes = {route.choice.dtype for route in model.routes.values()}
    dtype = "int8" if "int8" in dtypes else "float32"
    return fingerprint(
        weights=weights,
        routes=routes,
        router=model.folder.router,
        prompts=prompts,
        dtype=dtype,
        default_prompt_name=default_prompt_name,
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
