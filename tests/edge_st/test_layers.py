"""The house: which wing may import which, read from the sources. Imports within functions and for types count, too."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The wings of each package from the top floor down, several on a floor; a wing imports only from below it.
#: A file beside the wings is a wing of its own.
FLOORS = {
    "runtime/edge_st_runtime": [
        ["model"],
        ["store"],
        ["modules"],
        ["search"],
        ["engines"],
        ["text"],
        ["machine"],
        ["vectors"],
        ["files"],
        ["checks", "unicode"],
        ["arrays", "errors", "__init__"],
    ],
    "edge_st": [
        ["__main__"],
        ["cli"],
        ["__init__", "speed", "retriever"],
        ["comparison", "retrieval", "server", "multi_vector_encoder"],
        ["evaluation", "util"],
        [
            "index",
            "mining",
            "integrations",
            "verification",
            "sentence_transformer",
            "cross_encoder",
            "sparse_encoder",
        ],
        ["protocols"],
        ["models"],
        ["table_files"],
        ["hub", "input_files", "manifest", "memory", "progress", "version"],
        ["yaml_files"],
    ],
    "export/edge_st_export": [
        ["__init__"],
        ["cli"],
        ["export", "packing"],
        ["steps"],
        ["plan", "report"],
        ["int8"],
        ["graph"],
        ["builder", "static"],
        ["folder"],
        ["original"],
        ["stack"],
        ["errors", "progress"],
    ],
}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path, package: str) -> tuple[str, ...]:
    parts = path.relative_to((ROOT / package).parent).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imported(path: Path, package: str) -> Iterator[tuple[str, ...]]:
    """The modules of the same package that a file imports."""
    names = {name_of(each, package) for each in files(package)}
    own = name_of(path, package)
    inside = own if path.name == "__init__.py" else own[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        start = inside[: len(inside) + 1 - node.level] if node.level else ()
        module = (*start, *(node.module.split(".") if node.module else ()))
        for alias in node.names:
            found = next((each for each in ((*module, alias.name), module) if each in names), None)
            if found is not None:
                yield found


@pytest.mark.parametrize("package", FLOORS)
def test_a_wing_imports_only_from_below(package: str) -> None:
    floors = {wing: floor for floor, wings in enumerate(FLOORS[package]) for wing in wings}
    upwards = [
        f"{'.'.join(own)} imports {'.'.join(found)}"
        for path in files(package)
        for own in [name_of(path, package)]
        for found in imported(path, package)
        if wing_of(own) != wing_of(found) and floors[wing_of(own)] >= floors[wing_of(found)]
    ]
    assert not upwards


def wing_of(module: tuple[str, ...]) -> str:
    return module[1] if len(module) > 1 else "__init__"


@pytest.mark.parametrize("package", FLOORS)
def test_no_files_import_each_other(package: str) -> None:
    graph = {name_of(path, package): set(imported(path, package)) for path in files(package)}
    for module, found in graph.items():
        found.discard(module)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(".".join(module) for module in error.args[1]))
