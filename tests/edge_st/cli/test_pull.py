"""``edge-st pull``: a folder from the Hub that other commands can use."""

from pathlib import Path

import pytest

from edge_st.cli import main
from tests.support.hub_models import NAME, dense_model, static_model
from tests.support.hub_server import HubServer


def test_pull_says_where_the_model_is_and_how_to_go_on(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.add(NAME, static_model())
    folder = tmp_path / "with space"

    assert main(["pull", NAME, str(folder)]) == 0

    place, following = capsys.readouterr().out.splitlines()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    assert place == f"{folder}  {size / 1e6:.1f} MB"
    assert following == f"next: edge-st info '{folder}'"
    assert main(["info", str(folder)]) == 0


def test_a_folder_is_replaced_only_by_force(hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.add(NAME, static_model())
    folder = str(tmp_path / "out")
    assert main(["pull", NAME, folder]) == 0
    assert main(["pull", NAME, folder]) == 0
    hub.add(NAME, dense_model())
    assert main(["pull", NAME, folder]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["pull", NAME, folder, "--force"]) == 0


def test_a_model_that_is_not_there_is_1_and_leaves_nothing(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pull", "nobody/nothing", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("edge-st: error: ")
    assert "nobody/nothing" in captured.err
    assert not (tmp_path / "out").exists()


def test_revision_and_token_are_passed_on(hub: HubServer, tmp_path: Path) -> None:
    repository = hub.add(NAME, static_model(), token="secret")
    assert main(["pull", NAME, str(tmp_path / "out")]) == 1
    arguments = ["--token", "secret", "--revision", repository.commit]
    assert main(["pull", NAME, str(tmp_path / "out"), *arguments]) == 0
    assert main(["pull", NAME, str(tmp_path / "other"), "--token", "secret", "--revision", "no-such-tag"]) == 1
