"""Find the model to convert: a folder, or the needed files of a repository on the Hub."""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge_st.hub.client import fetch_to_cache
from edge_st.hub.files import config_files
from edge_st.hub.names import existing_folder, hub_name
from edge_st.hub.repository import Repository
from edge_st.hub.transfer import list_files
from edge_st_runtime.errors import EXPORT, MissingFileError, UnsupportedModelError
from edge_st_runtime.model.folder import ONLY_ROUTE, ModelFolder, read_folder, read_steps
from edge_st_runtime.model.record import FILE_NAME
from edge_st_runtime.model.route import Route

from ..original.adapters import CONFIG_FILE as ADAPTER_FILE
from ..original.tasks import organization, wanted_type
from .answers import read_answers
from .architecture import Architecture
from .checkpoint import INDEX_FILE, SINGLE_FILE, shards
from .reading import read_architecture

_FIRST_FILES = ("modules.json", "config.json")
_PAPERS = ("README.md", "LICENSE", "NOTICE")


@dataclass(frozen=True)
class Source:
    """A model whose graph can be written: its folder, its only route, its architecture, and the files to copy."""

    described: ModelFolder
    route: Route
    architecture: Architecture
    files: tuple[str, ...]


def find_source(
    model: str | os.PathLike[str], revision: str | None, token: str | bool | None, task: str | None = None
) -> Source:
    """Find ``model``: the folder of that name if there is one, else the model of that name on the Hub.

    Its configuration is checked before its weights are downloaded. ``task`` ("sentence-embedding", "cross-encoder" or
    "sparse-encoder") says what to make of a transformer without modules.json.

    Raises UnsupportedModelError for an architecture or setting that is not supported, MissingFileError without a
    tokenizer.json or weights in safetensors, OptionError for an unknown task, FolderError and HubError.
    """
    wanted = wanted_type(task)
    folder = existing_folder(model)
    if folder is not None:
        names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        return _gather(str(folder), names, folder.joinpath, wanted)
    listing = list_files(Repository(hub_name(model, organization(wanted)), revision or "main", token))
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME") or None
    return _gather(listing.repository.name, listing.files.keys(), partial(fetch_to_cache, listing, cache=cache), wanted)


def _gather(model: str, names: Collection[str], fetch: Callable[[str], Path], wanted: str | None) -> Source:
    if ADAPTER_FILE in names:
        raise UnsupportedModelError(
            f"{model} is a PEFT adapter, whose base model is elsewhere; edge-st export merges the two. Export it "
            f"{EXPORT}"
        )
    found = [fetch(name) for name in _FIRST_FILES if name in names]
    if not found:
        raise MissingFileError(f"{model} has neither {' nor '.join(_FIRST_FILES)}; expected an embedding model")
    folder = found[0].parent
    _, routes = read_steps(folder)
    if list(routes) != [ONLY_ROUTE]:
        raise UnsupportedModelError(
            f"{model} has a Router over {', '.join(routes)}; edge-st convert supports models with one route only. "
            f"Export the model {EXPORT}"
        )
    steps = [(kind, path.relative_to(folder).as_posix()) for kind, path in routes[ONLY_ROUTE]]
    files = [name for name in config_files(names, [steps]) if name != FILE_NAME]
    files += [name for name in names if name.startswith(_PAPERS) and "/" not in name]
    for name in files:
        fetch(name)
    described = read_folder(folder, wanted)
    route = described.routes[ONLY_ROUTE]
    architecture = read_architecture(route, answers=read_answers(described))
    _fetch_weights(route, names, fetch)
    return Source(described, route, architecture, tuple(sorted(files)))


def _fetch_weights(route: Route, names: Collection[str], fetch: Callable[[str], Path]) -> None:
    single, index = route.prefix + SINGLE_FILE, route.prefix + INDEX_FILE
    if single in names:
        fetch(single)
    elif index in names:
        for name in shards(fetch(index)):
            fetch(route.prefix + name)
