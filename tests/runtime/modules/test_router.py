"""The route of a task, and the configuration of a router."""

from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import DamagedFileError, MissingFileError, OptionError, UnsafePathError
from edge_st_runtime.modules.router import Router, read_router
from tests.support.tiny_models import write_json

PACKAGE = "sentence_transformers.models"
CONFIG: dict[str, Any] = {
    "types": {"query_0_Dense": f"{PACKAGE}.Dense", "document_0_Dense": f"{PACKAGE}.Dense"},
    "structure": {"query": ["query_0_Dense"], "document": ["document_0_Dense"]},
    "parameters": {"default_route": None, "allow_empty_key": False},
}
MAPPINGS = {("query", "text"): "a", ("document", None): "b", (None, "text"): "c"}


@pytest.mark.parametrize(
    ("router", "task", "route"),
    [
        (Router(("query", "document")), "query", "query"),
        (Router(("query", "document"), "document"), None, "document"),
        (Router(("text", "image")), None, "text"),
        (Router(("text", "image")), "anything", "text"),
        (Router(("a", "b", "c"), None, MAPPINGS), "query", "a"),
        (Router(("a", "b", "c"), None, MAPPINGS), "document", "b"),
        (Router(("a", "b", "c"), None, MAPPINGS), "b", "c"),
        (Router(("a", "b", "c"), None, MAPPINGS), None, "c"),
        (Router(("a", "b"), "a", {(None, None): "b"}), None, "b"),
    ],
)
def test_the_route_of_a_task(router: Router, task: str | None, route: str) -> None:
    assert router.route(task) == route


@pytest.mark.parametrize(
    ("router", "task"),
    [(Router(("query", "document"), "document"), "corpus"), (Router(("query", "document")), None)],
    ids=["unknown", "none and no default"],
)
def test_a_task_without_a_route(router: Router, task: str | None) -> None:
    with pytest.raises(OptionError, match=rf"task is {task!r}; this model has the tasks .*'query', 'document'"):
        router.route(task)


@pytest.mark.parametrize(
    ("router", "tasks"),
    [
        (Router(("query", "doc")), ["query", "doc"]),
        (Router(("query", "doc"), "doc"), [None, "query", "doc"]),
        (Router(("a", "b", "c"), None, MAPPINGS), [None, "a", "b", "c", "query", "document"]),
    ],
)
def test_tasks(router: Router, tasks: list[str | None]) -> None:
    assert router.tasks == tasks


@pytest.mark.parametrize("file", ["router_config.json", "config.json"])
def test_reading(file: str, tmp_path: Path) -> None:
    write_json(tmp_path / file, CONFIG)
    router, routes = read_router(tmp_path)
    assert router == Router(("query", "document"), None, {})
    assert routes["query"] == [(f"{PACKAGE}.Dense", tmp_path / "query_0_Dense")]


@pytest.mark.parametrize(
    ("parameters", "router"),
    [
        ({}, Router(("query", "document"), "query", {})),
        ({"default_route": "document"}, Router(("query", "document"), "document", {})),
        (
            {
                "allow_empty_key": False,
                "route_mappings": {"('q', 'text')": "query", "(None, ('image', 'text'))": "query"},
            },
            Router(("query", "document"), None, {("q", "text"): "query"}),
        ),
    ],
    ids=["the first by default", "a default", "mappings, of texts only"],
)
def test_parameters(parameters: dict[str, Any], router: Router, tmp_path: Path) -> None:
    write_json(tmp_path / "router_config.json", CONFIG | {"parameters": parameters})
    assert read_router(tmp_path)[0] == router


@pytest.mark.parametrize(
    "changes",
    [
        {"structure": {}},
        {"structure": {"query": ["unheard of"]}},
        {"structure": ["query"]},
        {"types": None},
        {"parameters": {"default_route": "other"}},
        {"parameters": {"route_mappings": {"('q', None)": "other"}}},
        {"parameters": {"route_mappings": {"import os": "query"}}},
    ],
    ids=str,
)
def test_damaged_configuration(changes: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "router_config.json", CONFIG | changes)
    with pytest.raises(DamagedFileError, match=r"router_config\.json"):
        read_router(tmp_path)


def test_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"router_config\.json is missing"):
        read_router(tmp_path)


def test_modules_outside_the_folder(tmp_path: Path) -> None:
    config = CONFIG | {"types": {"../x": f"{PACKAGE}.Dense"}, "structure": {"query": ["../x"]}}
    write_json(tmp_path / "router_config.json", config)
    with pytest.raises(UnsafePathError):
        read_router(tmp_path)
