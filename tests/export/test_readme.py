"""README's blocks for exported models, on the real one."""

from pathlib import Path

import pytest

from edge_st_export import ExportReport
from tests.readme import run_blocks


def test_blocks_for_exported_models_run(
    real_report: ExportReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "minilm").symlink_to(real_report.path)
    monkeypatch.chdir(tmp_path)
    run_blocks("python export")
