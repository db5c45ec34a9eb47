"""The router of a model with several routes. Source: sentence-transformers' Router (formerly Asym)."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DamagedFileError, OptionError
from ..files.reading import inside, read_json, reading, wrong
from ..files.regular import is_there

ROUTER_FILES = ("router_config.json", "config.json")
_MODALITY = "text"
Key = tuple[str | None, str | None]
Modules = list[tuple[str, Path]]


@dataclass(frozen=True)
class Router:
    """The names of the ``routes``, the ``default`` for texts without a task, and the ``mappings`` to routes by key."""

    routes: tuple[str, ...]
    default: str | None = None
    mappings: Mapping[Key, str] | None = None

    def route(self, task: str | None) -> str:
        """The name of the route for ``task``; raises OptionError for a task without one."""
        route = self._find(task)
        if route is None:
            raise OptionError(
                f"task is {task!r}; this model has the tasks {', '.join(map(repr, self.tasks))}: pass one of them as "
                "task=…, or call encode_query or encode_document"
            )
        return route

    def _find(self, task: str | None) -> str | None:
        mappings = self.mappings or {}
        for key in ((task, _MODALITY), (task, None), (None, _MODALITY), (None, None)):
            if key in mappings:
                return mappings[key]
        if task in self.routes:
            return str(task)
        if _MODALITY in self.routes:
            return _MODALITY
        return self.default if task is None else None

    @property
    def tasks(self) -> list[str | None]:
        """Every task that has a route. If a text without a task has one, None comes first."""
        mapped = [task for task, _ in self.mappings or {} if task is not None]
        return [task for task in dict.fromkeys([None, *self.routes, *mapped]) if self._find(task) is not None]


def read_router(folder: Path) -> tuple[Router, dict[str, Modules]]:
    """The router stored in ``folder``, and for each route the dotted class names and the folders of its modules.

    Raises DamagedFileError, and MissingFileError where there is no configuration.
    """
    path = next((folder / name for name in ROUTER_FILES if is_there(folder / name)), folder / ROUTER_FILES[0])
    config = read_json(path)
    with reading(path):
        named = {
            name: [(str(config["types"][module]), str(module)) for module in modules]
            for name, modules in config["structure"].items()
        }
        parameters = config.get("parameters") or {}
        mappings = dict(_mappings(parameters.get("route_mappings") or {}))
        default = parameters.get("default_route")
        if default is None and parameters.get("allow_empty_key", True):
            default = next(iter(named), None)
        unknown = {*mappings.values(), *([] if default is None else [default])} - set(named)
    if unknown or not named:
        raise DamagedFileError(
            f"{path} refers to the routes {sorted(unknown) or 'none'}, but has {', '.join(named) or 'none'}; export "
            "the model again"
        )
    routes = {name: [(kind, inside(folder, module)) for kind, module in modules] for name, modules in named.items()}
    return Router(tuple(routes), default, mappings), routes


def _mappings(saved: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """The (task, modality) and route of each entry, whose key is saved as "('query', 'text')".

    Entries for several modalities at once do not apply to texts and are left out.
    """
    for key, route in saved.items():
        try:
            task, modality = ast.literal_eval(key)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
            raise wrong("a key of route_mappings", key, "a task and a modality, such as ('query', 'text')") from error
        if modality is None or isinstance(modality, str):
            yield (task, modality), str(route)
