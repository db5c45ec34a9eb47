"""What ONNX Runtime fuses in exported graphs: fewer operators than here, and a model runs slower than it did."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_st_export import export_model
from edge_st_export.errors import ExportError
from edge_st_export.graph.fused import fused_operators
from tests.export.int8.int8_graphs import graph, node, saved
from tests.export.int8.int8_models import LAYERS, MODELS

NORMALIZED = 2 * LAYERS + 1
FUSED: Mapping[str, Mapping[str, int]] = {
    "bert": {"BiasGelu": LAYERS, "LayerNormalization": NORMALIZED},
    "roberta": {"BiasGelu": LAYERS, "LayerNormalization": NORMALIZED},
    "distilbert": {"BiasGelu": LAYERS, "LayerNormalization": NORMALIZED},
    "mpnet": {"BiasGelu": LAYERS, "LayerNormalization": NORMALIZED},
    "t5": {"SimplifiedLayerNormalization": NORMALIZED},
}


@pytest.mark.parametrize("name", FUSED)
def test_architectures(name: str, tmp_path: Path) -> None:
    report = export_model(MODELS[name](tmp_path), tmp_path / "out", engines=["onnx"], quiet=True)
    assert report.graphs[0].fused == FUSED[name]
    assert [note for note in report.notes if "GELU" in note] == []
    (entry,) = json.loads((tmp_path / "out" / "edge_st.json").read_text(encoding="utf-8"))["graphs"]
    assert entry["fused"] == FUSED[name]


def test_gelu_in_parts(tmp_path: Path) -> None:
    parts = [node("Erf", "x", "e"), node("Add", "e e", "y")]
    assert fused_operators(saved(graph(parts, {}), tmp_path)) == {"Erf": 1}


def test_a_graph_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match=r"ONNX Runtime's optimization of model\.onnx failed"):
        fused_operators(tmp_path / "model.onnx")
