from pathlib import Path

import pytest

from tests.support.readme import run_blocks


def test_blocks_for_the_device_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_blocks("python")
