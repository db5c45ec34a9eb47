"""Read a model folder, as sentence-transformers writes it, into a frozen description. Nothing is executed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import DamagedFileError, FolderNotFoundError, MissingFileError, OptionError, UnsupportedModelError
from ..files.reading import inside, read_json_list, read_optional_json, reading
from ..files.regular import is_there
from ..modules.loaders import LOADERS, load_module
from ..modules.router import Router, read_router
from ..modules.static import is_model2vec
from .classes import (
    CROSS_ENCODER,
    SENTENCE_TRANSFORMER,
    SPARSE_ENCODER,
    STATIC_MODEL,
    find_model_type,
    plain_model,
)
from .heads import Heads, opened_by_head, read_heads
from .record import Record, read_record
from .route import FIRST, STATIC, TRANSFORMER, Route, graph_names, read_route, transformer_config

MODULES_FILE = "modules.json"
SETTINGS_FILE = "config_sentence_transformers.json"
ONLY_ROUTE = ""
Step = tuple[str, Path]
ROUTERS = ("Router", "Asym")
_PACKAGE = "sentence_transformers."
#: of another package, but without code of its own: sentence-transformers takes it for its Dense
_ALIASES = {"pylate.models.Dense.Dense": "Dense"}
#: what makes a graph without config.json one of these classes
_CONFIG_OF = {
    name: f"{{}} is missing, without which a graph is not known to be a {name}; write it: "
    f'{{{{"architectures": ["Bert{ending}"], "model_type": "bert", "max_position_embeddings": 512}}}}'
    for name, ending in ((CROSS_ENCODER, "ForSequenceClassification"), (SPARSE_ENCODER, "ForMaskedLM"))
}


@dataclass(frozen=True, eq=False)
class ModelFolder:
    """Everything a folder says about its model, apart from the weights of its first modules.

    ``model_type`` is the name of the class that opens it. ``routes`` has the routes by name; a model without a
    ``router`` has one, called "". ``steps`` are the modules of each route as kinds and folders. ``settings`` is
    config_sentence_transformers.json. ``plain`` says that there is no modules.json, ``by_head`` that the class takes a
    head of the graph which is not the one that modules.json describes.
    """

    path: Path
    model_type: str
    routes: Mapping[str, Route]
    router: Router | None
    steps: Mapping[str, list[Step]]
    settings: Mapping[str, Any]
    record: Record | None
    plain: bool = False
    by_head: bool = False

    @property
    def pooling_files(self) -> list[str]:
        """The configuration files of the Pooling modules, relative to the folder."""
        steps = dict.fromkeys(step for modules in self.steps.values() for step in modules)
        return [
            (folder / "config.json").relative_to(self.path).as_posix() for kind, folder in steps if kind == "Pooling"
        ]

    @property
    def settings_files(self) -> list[str]:
        """The files whose settings users may edit, such as prompts and max_seq_length; some need not be there."""
        return list(dict.fromkeys([SETTINGS_FILE, *(route.transformer_file for route in self.routes.values())]))

    def route(self, task: str | None) -> str:
        """The name of the route for ``task``; raises OptionError for a task without one."""
        return ONLY_ROUTE if self.router is None else self.router.route(task)

    @property
    def tasks(self) -> list[str | None]:
        """What `route` takes: the name of every task, and None where texts need no task."""
        return [None] if self.router is None else self.router.tasks


def read_folder(path: Path, model_type: str | None = None, pooling: tuple[str, ...] | None = None) -> ModelFolder:
    """Read the folder at ``path``. ``model_type`` is the class it is opened with, None the one that the folder names.

    Without modules.json the modules are those that sentence-transformers would choose, but for the modes of
    ``pooling``. Raises FolderNotFoundError, OptionError for a ``pooling`` that would have no effect, WrongClassError
    for a model of another class, UnsupportedModelError for a class or module that the runtime cannot run (before a
    graph is loaded), MissingFileError and DamagedFileError.
    """
    if not path.is_dir():
        raise FolderNotFoundError(f"no model folder at {path}; give a folder, or a Hub name such as all-MiniLM-L6-v2")
    record = read_record(path)
    settings, architecture = read_optional_json(path / SETTINGS_FILE), plain_architecture(path)
    if architecture == "" and model_type in _CONFIG_OF and not (settings or is_there(path / "config.json")):
        raise MissingFileError(_CONFIG_OF[model_type].format(path / "config.json"))
    router, steps = read_steps(path)
    heads = read_heads(path)
    if opened_by_head(path, heads, model_type):
        return _by_head(read_folder(path, SENTENCE_TRANSFORMER, pooling), heads, model_type)
    kinds = () if settings.get("model_type") else module_kinds(path, steps)
    with reading(path / SETTINGS_FILE):
        model_type = find_model_type(path, settings, architecture or "", model_type, kinds)
    if pooling is not None:
        _check_takes_pooling(path, model_type, pooling, architecture)
    load = cache(load_module)  # routes share the modules before and after the router
    routes = {}
    for name, (first, *others) in steps.items():
        modules = tuple(load(kind, folder) for kind, folder in others)
        defaults: Mapping[str, Any] = {}
        if architecture is not None:
            defaults, modules = plain_model(model_type, architecture, read_optional_json(path / "config.json"), pooling)
        routes[name] = read_route(path, *first, modules, defaults)
    _check_graphs_are_shared(path, steps, routes)
    return ModelFolder(
        path=path,
        model_type=model_type,
        routes=routes,
        router=router,
        steps=steps,
        settings=settings,
        record=record,
        plain=architecture is not None,
    )


def _by_head(folder: ModelFolder, heads: Heads | None, model_type: str | None) -> ModelFolder:
    """The ``folder`` of a SentenceTransformer as ``model_type`` opens it by one of its ``heads``, or by all."""
    assert heads is not None
    assert model_type is not None
    routes = {name: replace(route, modules=heads.modules_for(model_type)) for name, route in folder.routes.items()}
    settings = {**folder.settings, **heads.settings_for(model_type)}
    return replace(folder, model_type=model_type, routes=routes, settings=settings, by_head=True)


def _check_takes_pooling(path: Path, model_type: str, pooling: tuple[str, ...], architecture: str | None) -> None:
    """Raise OptionError for a model whose modules, or whose class, say how it pools."""
    kind = STATIC_MODEL if architecture == STATIC_MODEL else model_type
    if kind != SENTENCE_TRANSFORMER:
        raise OptionError(f"pooling is {pooling!r}, but {path} is a {kind}, which does not pool; leave it out")
    if architecture is None:
        raise OptionError(
            f"pooling is {pooling!r}, but {path / 'modules.json'} names the modules of the model; leave pooling out, "
            "or change the configuration of its Pooling"
        )


def module_kinds(path: Path, steps: Mapping[str, list[Step]]) -> set[str]:
    """The classes of all modules, and the task of a transformer in the folder itself."""
    task = str(transformer_config(path)[1].get("transformer_task"))
    return {task, *(kind for modules in steps.values() for kind, _ in modules)}


def _check_graphs_are_shared(path: Path, steps: Mapping[str, list[Step]], routes: Mapping[str, Route]) -> None:
    """Raise UnsupportedModelError where routes with the same first module need different graphs of it."""
    graphs: dict[Path, list[Step]] = {}
    for name, route in routes.items():
        inside = steps[name][: 1 + route.modules_in_graph]
        if graphs.setdefault(route.path, inside) != inside:
            raise UnsupportedModelError(
                f"{path}: the Router's routes begin with the same {route.kind} but have different modules that a graph "
                "computes (LSTM, WeightedLayerPooling); expected the same ones on every route"
            )


def read_steps(path: Path) -> tuple[Router | None, dict[str, list[Step]]]:
    """The router, and for every route the classes and folders of its modules, in order.

    Only JSON files are read. Raises FolderNotFoundError, UnsupportedModelError, UnsafePathError, MissingFileError and
    DamagedFileError.
    """
    steps = [
        (_kind(str(entry.get("type", "")), path), inside(path, str(entry.get("path", "")))) for entry in _entries(path)
    ]
    places = [place for place, (kind, _) in enumerate(steps) if kind in ROUTERS]
    if not places:
        return None, {ONLY_ROUTE: steps}
    place = places[0]
    router, branches = read_router(steps[place][1])
    routes = {
        name: [*steps[:place], *((_kind(dotted, path), folder) for dotted, folder in branch), *steps[place + 1 :]]
        for name, branch in branches.items()
    }
    if any(kind in ROUTERS for route in routes.values() for kind, _ in route):
        raise UnsupportedModelError(f"{path} has more than one Router; expected one at most")
    empty = [name for name, route in routes.items() if not route]
    if empty:
        raise UnsupportedModelError(f"{path}: the Router's route {empty[0]!r} has no modules; expected at least one")
    return router, routes


def read_routers(path: Path) -> list[str]:
    """The folders of the routers that modules.json names; raises what `read_steps` raises."""
    return [
        str(entry.get("path", "")) for entry in _entries(path) if _kind(str(entry.get("type", "")), path) in ROUTERS
    ]


def _entries(path: Path) -> list[dict[str, Any]]:
    if not is_there(path / MODULES_FILE):
        kind = STATIC if plain_architecture(path) == STATIC_MODEL else TRANSFORMER
        return [{"path": "", "type": f"{_PACKAGE}models.{kind}"}]
    entries = read_json_list(path / MODULES_FILE)
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise DamagedFileError(f"{path / 'modules.json'} names no modules; download or export the model again")
    return entries


def _kind(dotted: str, path: Path) -> str:
    if dotted in _ALIASES:
        return _ALIASES[dotted]
    if not dotted.startswith(_PACKAGE):
        raise UnsupportedModelError(
            f"{path / 'modules.json'} names the module {dotted!r}, which is custom code; custom code is never run. "
            f"Expected modules of sentence-transformers: {', '.join(FIRST)}, then {', '.join(sorted(LOADERS))}, or a "
            "Router"
        )
    return dotted.rpartition(".")[2]


def plain_architecture(path: Path) -> str | None:
    """The class of the transformer in a folder without modules.json, such as "BertForMaskedLM".

    "StaticModel" for a Model2Vec model. "" where its config.json names none, and for a graph and a tokenizer without a
    config.json; None for a folder with modules.json. Raises FolderNotFoundError where there is nothing of all that, and
    DamagedFileError.
    """
    if is_there(path / MODULES_FILE):
        return None
    config = read_optional_json(path / "config.json")
    if is_model2vec(path, config):
        return STATIC_MODEL
    if not is_there(path / "config.json"):
        if graph_names(path) and is_there(path / "tokenizer.json"):
            return ""
        raise FolderNotFoundError(
            f"{path} has neither modules.json nor config.json, nor a graph with its tokenizer.json; expected a model "
            "folder"
        )
    with reading(path / "config.json"):
        names = config.get("architectures") or [""]
        return str(names[0])
