"""The command in a folder of the test's own."""

from pathlib import Path

import pytest

from tests.support.index_command import IndexCommand


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IndexCommand:
    monkeypatch.chdir(tmp_path)
    return IndexCommand(capsys)
