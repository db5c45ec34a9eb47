"""README and the pages of the documentation: what they show runs, what they name is there."""

import inspect
import re
from pathlib import Path

import pytest

import edge_st
from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from tests.support.command_parsers import command_parsers
from tests.support.readme import (
    LANGUAGES,
    PAGES,
    ROOT,
    blocks,
    commands,
    copy_world,
    make_world,
    pages_with,
    parse,
    run_python,
    run_shell,
    undescribed_options,
)

EXPORT_COMMANDS = {"convert", "distill", "export", "pack"}
MOST_LINES = 150


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that pages take to be there."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def folder(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, in which a page runs."""
    monkeypatch.chdir(copy_world(world, tmp_path))
    return tmp_path


@pytest.mark.usefixtures("folder", "quick_disk")
@pytest.mark.parametrize("page", pages_with("python"))
def test_python_runs(page: str) -> None:
    run_python(page)


@pytest.mark.usefixtures("folder", "quick_disk")
@pytest.mark.parametrize("page", pages_with("bash"))
def test_shell_runs(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    run_shell(page)


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_is_known(page: str) -> None:
    """So that no block is left out by a slip of the pen."""
    assert {block.language for block in blocks(page)} <= LANGUAGES
    assert PAGES[page].read_text(encoding="utf-8").count("```") == 2 * len(list(blocks(page)))


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_commands_parse(page: str) -> None:
    """Also of blocks that do not run here; those of the build machine are parsed where they are installed."""
    parsers = command_parsers()
    assert {parse(line, parsers) for line in commands(page)} <= parsers.keys() | EXPORT_COMMANDS


def test_every_option_is_described() -> None:
    assert undescribed_options(command_parsers()) == []


def test_every_variable_is_described() -> None:
    sources = [path for package in ("edge_st", "runtime", "export") for path in (ROOT / package).rglob("*.py")]
    used = {name for path in sources for name in re.findall(r"\bEDGE_ST_[A-Z_]+", path.read_text(encoding="utf-8"))}
    assert {name for name in used if f"`{name}`" not in PAGES["docs/environment"].read_text(encoding="utf-8")} == set()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", PAGES[page].read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    local = [link for link in links if not link.startswith(("https://", "http://"))]
    assert [link for link in local if not (PAGES[page].parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_named_files_are_there(page: str) -> None:
    named = re.findall(r"`((?:edge_st|runtime|export|tests|benchmarks|docs)/[\w/.]*)`", PAGES[page].read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_promise_has_its_tests() -> None:
    rows = re.findall(r"^\| (?!promise |---)(.*?) \| (.*) \|$", PAGES["docs/promises"].read_text("utf-8"), re.MULTILINE)
    tests = {promise: re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", cell) for promise, cell in rows}
    assert rows
    assert [promise for promise, named in tests.items() if not named] == []
    named = {test for of_one in tests.values() for test in of_one}
    assert {name for file, name in named if f"\ndef {name}(" not in (ROOT / file).read_text("utf-8")} == set()


def test_every_wing_is_described() -> None:
    packages = [ROOT / name for name in ("runtime/edge_st_runtime", "edge_st", "export/edge_st_export")]
    wings = {path.parent.name for package in packages for path in package.glob("*/__init__.py")}
    assert {wing for wing in wings if f"`{wing}/`" not in PAGES["docs/how-it-works"].read_text("utf-8")} == set()


@pytest.mark.parametrize("kind", [SentenceTransformer, CrossEncoder, SparseEncoder])
def test_every_argument_of_a_model_is_described(kind: type) -> None:
    parameters = [each for base in kind.__mro__[:-1] for each in inspect.signature(base).parameters.values()]
    named = {each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}
    assert {name for name in named if f"`{name}`" not in PAGES["docs/api/opening-a-model"].read_text("utf-8")} == set()


def test_every_public_name_is_described() -> None:
    public = "".join(path.read_text("utf-8") for name, path in PAGES.items() if name.startswith("docs/api/"))
    assert {name for name in edge_st.__all__ if f"`{name}`" not in public} == set()


def test_the_readme_is_short() -> None:
    assert len(PAGES["README"].read_text(encoding="utf-8").splitlines()) <= MOST_LINES
