"""What int8 keeps of each model: the gate's measurements for edge-st's graphs, and for ONNX Runtime's dynamic int8.

Run ``python benchmarks/int8_quality.py MODEL ... --sts sts-dev.tsv`` where edge-st-export is installed, with folders
that ``edge-st export --dtype int8`` wrote. Dynamic quantization is ONNX Runtime's own, with a scale for each column.
The sentences of ``--sts`` are texts that no fit has seen; a model that scores pairs gets each with its neighbour.
"""

import argparse
import csv
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import QuantType, quantize_dynamic
from tables import table

from edge_st.models.classes import open_model
from edge_st.verification.outputs import plain_output
from edge_st.verification.variants import GraphVariant, open_variant
from edge_st_export.folder.paths import ONNX_FILE
from edge_st_export.int8.quality import Standard
from edge_st_runtime.machine.cpu import cpu_features
from edge_st_runtime.model.classes import CROSS_ENCODER
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.vectors.parity import correlations, cosines

UNSEEN = 300
_DYNAMIC = "onnx/model_qint8.onnx"
HEADER = ["model", "int8 of", "MB", "cosine", "p1", "agreement", "unseen: cosine", "p1"]


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("models", nargs="+", type=Path)
    made.add_argument("--sts", type=Path, required=True, help="lines of score TAB sentence TAB sentence")
    options = made.parse_args()
    unseen = _sentences(options.sts)
    rows = [row for folder in options.models for row in _rows(folder, unseen)]
    print(f"CPU: {' '.join(sorted(cpu_features()))}\n\n{table(HEADER, rows)}")


def _sentences(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        found = [cell for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) for cell in row[1:3]]
    return list(dict.fromkeys(found))[:UNSEEN]


def _rows(folder: Path, sentences: list[str]) -> Iterator[list[str]]:
    described = read_folder(folder)
    scores, task = described.model_type == CROSS_ENCODER, described.tasks[0]
    unseen: list[Any] = list(pairwise(sentences)) if scores else sentences
    plain = open_variant(folder, GraphVariant(ONNX_FILE, "onnx"))
    standard = Standard(plain, described.model_type, described.tasks)
    wanted = plain_output(plain, unseen, None, task)
    for name, megabytes, model in _variants(folder):
        quality = standard.quality(model)
        near = (correlations if scores else cosines)(plain_output(model, unseen, None, task), wanted)
        yield [
            folder.name, name, f"{megabytes:.1f}",
            f"{quality.cosine_mean:.5f}", f"{quality.cosine_p1:.4f}", f"{quality.agreement:.4f}",
            f"{near.mean():.5f}", f"{np.percentile(near, 1):.4f}",
        ]  # fmt: skip


def _variants(folder: Path) -> Iterator[tuple[str, float, Any]]:
    record = read_folder(folder).record
    assert record is not None, f"{folder} has no edge_st.json"
    for graph in record.graphs:
        if graph.dtype == "int8":
            size = sum(record.files[name][1] for name in record.graph_files(graph.file))
            yield (
                f"edge-st, {graph.engine}",
                size / 1e6,
                open_model(folder, backend=graph.engine, dtype="int8", model_kwargs={"file_name": graph.file}),
            )
    path = folder / _DYNAMIC
    try:
        quantize_dynamic(folder / ONNX_FILE, path, per_channel=True, weight_type=QuantType.QInt8)
        model = open_model(folder, backend="onnx", dtype="int8", model_kwargs={"file_name": _DYNAMIC})
        yield "ONNX Runtime, dynamic", path.stat().st_size / 1e6, model
    finally:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
