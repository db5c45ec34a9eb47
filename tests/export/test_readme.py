"""README's blocks for exported models: on the real one, and on small ones of the other classes."""

from pathlib import Path

import pytest

from edge_st_export import ExportReport, export_model
from tests.export.zoo.cases import CASES
from tests.support.readme import run_blocks

SMALL = {"reranker": "classifier-bert", "splade": "splade-bert"}


def test_blocks_for_exported_models_run(
    real_report: ExportReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "minilm").symlink_to(real_report.path)
    for name, case in SMALL.items():
        original = CASES[case].build(tmp_path / case)
        export_model(original, tmp_path / "models" / name, engines=["onnx"], quiet=True)
    monkeypatch.chdir(tmp_path)
    run_blocks("python export")
