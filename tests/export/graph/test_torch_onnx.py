"""Graphs of PyTorch's own exporter."""

from pathlib import Path

from edge_st_export import export_model
from tests.export.zoo.examining import Zoo


def test_one_process_exports_lstms_one_after_the_other(zoo: Zoo, tmp_path: Path) -> None:
    for name in ("lstm", "cnn-lstm"):
        report = export_model(zoo.original(name), tmp_path / name, engines=("onnx",), quiet=True)
        assert report.graphs[0].cosine_min > 0.999999
