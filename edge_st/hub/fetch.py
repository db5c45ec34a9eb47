"""Fetch a model's files in order: configuration first, then the graph, last what only the graph names."""

from collections.abc import Callable, Collection
from pathlib import Path

from edge_st_runtime.engines.backend import DTYPES
from edge_st_runtime.errors import MissingFileError, OptionError, UnsupportedModelError
from edge_st_runtime.machine.parallel import parallel_map
from edge_st_runtime.model.folder import read_folder, read_routers, read_steps
from edge_st_runtime.model.variants import ENDINGS, Criteria

from .files import HEADS, config_files, named_weights, router_files, weight_files

_CONNECTIONS = 8
_MOST_FILES = 1_000  # of configuration; they are a dozen in most models


def check_options(backend: str, dtype: str) -> None:
    """Raise OptionError for an unknown engine or dtype, before any request is made."""
    for name, value, known in (("backend", backend, ("auto", *ENDINGS)), ("dtype", dtype, DTYPES)):
        if value not in known:
            raise OptionError(f"{name} is {value!r}; expected {', '.join(map(repr, known))}")


def fetch_model(
    model: str,
    names: Collection[str],
    criteria: Criteria,
    fetch: Callable[[str], Path],
    model_type: str | None = None,
) -> tuple[Path, list[str]]:
    """Fetch the files that a model needs; return the model's folder and the names of the files.

    ``names`` are all files of the repository; ``fetch`` gets a file and returns its path. The model is read before its
    graph is fetched, so that a model that cannot run is refused before the large download. The last of the returned
    names is fetched last: a copy that has it is complete. Raises what `read_folder` and `choose_graph` raise.
    """
    heads = [name for name in HEADS if name in names]
    if not heads:
        raise MissingFileError(f"{model} has neither modules.json nor config.json; expected an embedding model")
    paths = [fetch(name) for name in heads]
    folder = paths[0].parent
    try:
        routers = router_files(names, read_routers(folder))
        for name in routers:
            fetch(name)
        _, routes = read_steps(folder)
        configs = config_files(
            names, [[(kind, _relative(path, folder)) for kind, path in route] for route in routes.values()]
        )
        if len(configs) > _MOST_FILES:
            raise UnsupportedModelError(
                f"{model} has {len(configs)} files of configuration; expected {_MOST_FILES} at most"
            )
        others = (name for name in configs if name not in (*heads, *routers))
        list(parallel_map(fetch, others, _CONNECTIONS))
        weights = weight_files(names, read_folder(folder, model_type), criteria)
        for name in weights:
            fetch(name)
        named = named_weights(names, folder, weights)
    except MissingFileError as error:
        raise MissingFileError(f"{model}: {error} (here: edge-st export {model} FOLDER)") from error
    for name in named:
        fetch(name)
    return folder, [*dict.fromkeys([*routers, *configs]), *weights, *named]


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
