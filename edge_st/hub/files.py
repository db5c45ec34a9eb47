"""Which files of a model repository the runtime needs, by their names."""

import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from edge_st_runtime.errors import EXPORT, DamagedFileError, MissingFileError
from edge_st_runtime.model import graph_files
from edge_st_runtime.model.folder import ModelFolder
from edge_st_runtime.model.heads import HEADS_FILE
from edge_st_runtime.model.route import BAG, SPARSE_STATIC, WORDS, Route, name_prefix
from edge_st_runtime.model.variants import Criteria, choose_graph
from edge_st_runtime.modules.router import ROUTER_FILES
from edge_st_runtime.modules.sparse import sparse_static_file

#: the files that say which others are needed
HEADS = ("modules.json", "edge_st.json", "config.json")
_CONFIGS = (
    *HEADS, HEADS_FILE, "config_*.json", "sentence_*_config.json", "tokenizer*.json", "special_tokens_map.json",
    "wordembedding_config.json", "*tokenizer_config.json", "chat_template.jinja",
)  # fmt: skip
_WEIGHTS = "model.safetensors"
_logger = logging.getLogger(__name__)
_GRAPH_FOLDERS = ("", "onnx", "openvino")
Step = tuple[str, str]


def router_files(names: Collection[str], folders: Iterable[str]) -> list[str]:
    """The configuration files of the routers in ``folders``, which name the routes and their modules."""
    wanted = ([f"{name_prefix(folder)}{file}" for file in ROUTER_FILES] for folder in folders)
    return [next((name for name in candidates if name in names), candidates[0]) for candidates in wanted]


def config_files(names: Collection[str], routes: Iterable[list[Step]]) -> list[str]:
    """The files of configuration and tokenizers, and all files of every module after the first of a route.

    A route is a list of modules, each given by its class and its folder. Raises MissingFileError where a first module
    has no tokenizer.json, or the weights of another are only there as a pickle.
    """
    firsts: set[str] = set()
    others: set[str] = set()
    for (kind, folder), *rest in routes:
        firsts.add(name_prefix(folder))
        others.update(name_prefix(folder) for _, folder in rest)
        if kind not in (WORDS, BAG) and f"{name_prefix(folder)}tokenizer.json" not in names:
            raise MissingFileError(
                f"it has no {name_prefix(folder)}tokenizer.json, the only kind of tokenizer that edge-st reads; "
                f"make one {EXPORT}"
            )
    for prefix in sorted(others):
        if f"{prefix}pytorch_model.bin" in names:
            _required(prefix + _WEIGHTS, names)
    return sorted(
        name
        for name in names
        if any(_is_config(name, prefix) for prefix in ("", *firsts)) or any(_belongs(name, prefix) for prefix in others)
    )


def weight_files(names: Collection[str], folder: ModelFolder, criteria: Criteria) -> list[str]:
    """The files of weights for each route: its graph, as `choose_graph` chooses it, or its embedding table.

    Files of weights that a graph refers to come before it. Raises what `choose_graph` raises, and MissingFileError
    where a file that is needed is missing.
    """
    found = [name for route in folder.routes.values() for name in _weights_of(route, names, folder, criteria)]
    return list(dict.fromkeys(found))


def named_weights(names: Collection[str], folder: Path, weights: list[str]) -> list[str]:
    """The files of weights, beside ``weights``, that the graphs among these name; they are read in ``folder``.

    Raises MissingFileError where one is missing, and UnsafePathError for one outside the graph's folder.
    """
    found: list[Path] = []
    for name in weights:
        with suppress(DamagedFileError):  # loading the graph says so
            found += graph_files.weight_files(folder / name)
    named = dict.fromkeys(path.relative_to(folder).as_posix() for path in found)
    return [_required(name, names) for name in named if name not in weights]


def _weights_of(route: Route, names: Collection[str], folder: ModelFolder, criteria: Criteria) -> list[str]:
    if not route.needs_graph:
        file = sparse_static_file(route.config) if route.kind == SPARSE_STATIC else _WEIGHTS
        return [] if route.kind == BAG else [_required(route.prefix + file, names)]
    own = [name.removeprefix(route.prefix) for name in names if name.startswith(route.prefix)]
    graphs = [name for name in own if name.rpartition("/")[0] in _GRAPH_FOLDERS]
    choice = choose_graph(graphs, folder.record, criteria)
    if choice.warns:
        _logger.warning("taking %s: %s", choice, choice.reason)
    graph = route.prefix + choice.file
    if graph.endswith(".xml"):
        return [_required(graph.removesuffix(".xml") + ".bin", names), graph]
    return [*sorted(name for name in names if name.startswith((f"{graph}_data", f"{graph}.data"))), graph]


def _required(name: str, names: Collection[str]) -> str:
    if name not in names:
        raise MissingFileError(f"it has no {name}, the weights in a format that edge-st reads; make it {EXPORT}")
    return name


def _is_config(name: str, prefix: str) -> bool:
    rest = name.removeprefix(prefix)
    in_folder = name.startswith(prefix) and "/" not in rest
    return in_folder and any(fnmatchcase(rest, pattern) for pattern in _CONFIGS)


def _belongs(name: str, prefix: str) -> bool:
    in_folder = bool(prefix) and name.startswith(prefix)
    return in_folder and (name.endswith(".json") or name.rpartition("/")[2] == _WEIGHTS)
