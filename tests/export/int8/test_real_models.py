"""Trained models of other architectures and sizes in int8: name the folder of each in an environment variable."""

import os
from pathlib import Path

import pytest

from edge_st.verification.checks import verify_folder
from edge_st_export import Int8, export_model

#: what int8 may take of float32's megabytes
SHARE = 0.3


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["EDGE_ST_MPNET", "EDGE_ST_RERANKER"])
def test_every_product_is_int8_within_the_gate(variable: str, tmp_path: Path) -> None:
    original = Path(os.environ.get(variable, "missing"))
    if not original.is_dir():
        pytest.skip(f"no model here; name the folder of one: {variable}=FOLDER")
    report = export_model(original, tmp_path / "out", int8=Int8(), quiet=True)
    assert [(each.report.engine, each.left) for each in report.tried] == [("onnx", 0), ("openvino", 0)]
    sizes = {(graph.engine, graph.dtype): graph.megabytes for graph in report.graphs}
    for engine in ("onnx", "openvino"):
        assert sizes[engine, "int8"] <= SHARE * sizes[engine, "float32"]
    assert all(row.equal for rows in verify_folder(report.path).values() for row in rows)
