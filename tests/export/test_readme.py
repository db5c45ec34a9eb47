"""The documentation's blocks for the build machine and for exported models, on small models but for one page."""

from pathlib import Path

import pytest

from edge_st_export import ExportReport
from tests.export.zoo.examining import Zoo
from tests.support.command_parsers import command_parsers
from tests.support.readme import (
    PAGES,
    code,
    commands,
    pages_with,
    parse,
    run_python,
    run_shell,
    undescribed_options,
    write_files,
)

COMMANDS = {"convert", "distill", "export", "pack"}
SMALL = {"reranker": "classifier-bert", "splade": "splade-bert"}
REAL = "docs/guides/export"


@pytest.fixture
def folder(small_folder: Path, zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a page takes to be there but for "models/minilm"; the original is a small model by the real one's name."""
    write_files(tmp_path)
    (tmp_path / "models").mkdir()
    for name, case in SMALL.items():
        (tmp_path / "models" / name).symlink_to(zoo.exported(case).path)
    (tmp_path / "all-MiniLM-L6-v2").symlink_to(small_folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", pages_with("python", export=True))
def test_python_runs(page: str, folder: Path, small_report: ExportReport, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue("real_report") if page == REAL else small_report
    (folder / "models" / "minilm").symlink_to(report.path)
    run_python(page, export=True)


@pytest.mark.parametrize("page", pages_with("bash", export=True))
def test_shell_runs(page: str, folder: Path, small_report: ExportReport) -> None:
    if "edge-st export " not in code(page, "bash", export=True):
        (folder / "models" / "minilm").symlink_to(small_report.path)
    run_shell(page, export=True)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_commands_parse(page: str) -> None:
    parsers = command_parsers()
    assert {parse(line, parsers) for line in commands(page)} <= parsers.keys()


def test_every_option_is_described() -> None:
    assert undescribed_options({name: parser for name, parser in command_parsers().items() if name in COMMANDS}) == []
