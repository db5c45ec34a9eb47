"""A folder, FIFO, socket, device or dangling link where a file of the model is expected: refused, never absent."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_st import SentenceTransformer
from edge_st_runtime.errors import DamagedFileError
from tests.support.irregular import IRREGULAR
from tests.support.tiny_graphs import HIDDEN, store_outside
from tests.support.tiny_models import MEAN, NORMALIZE, TinyModel, dense, graph_entry, write_record

ONNX = "onnx/model.onnx"
FILES = (
    "edge_st.json",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "1_Pooling/config.json",
    "2_Normalize/config.json",
    "3_Dense/model.safetensors",
    ONNX,
    "onnx/weights.bin",
)


def save(folder: Path) -> Path:
    import numpy as np

    TinyModel(modules=(MEAN, NORMALIZE, dense(np.eye(HIDDEN, dtype=np.float32)))).save(folder)
    store_outside(folder / ONNX, "weights.bin")
    return folder


@pytest.mark.parametrize("kind", IRREGULAR)
@pytest.mark.parametrize("recorded", [True, False], ids=["with a record", "without a record"])
def test_what_is_no_file_is_refused(kind: str, recorded: bool, tmp_path: Path) -> None:
    folder = save(tmp_path / "model")
    if recorded:
        write_record(folder, [graph_entry(ONNX, "onnx")])
    for name in _without(FILES, "edge_st.json" if not recorded else ""):
        path, kept = folder / name, tmp_path / "kept"
        path.rename(kept)
        IRREGULAR[kind](path)
        with pytest.raises(DamagedFileError, match=rf"{Path(name).name}.*{kind}"):
            SentenceTransformer(folder, backend="onnx")
        path.rmdir() if path.is_dir() else path.unlink()
        kept.rename(path)
    assert SentenceTransformer(folder, backend="onnx").encode("a").shape == (HIDDEN,)


def _without(names: Sequence[str], one: str) -> list[str]:
    return [name for name in names if name != one]


def test_an_openvino_graph_whose_weights_are_no_file(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    folder = TinyModel().save(tmp_path)
    graph = folder / "openvino" / "openvino_model.xml"
    openvino.save_model(openvino.Core().read_model(folder / ONNX), graph)
    graph.with_suffix(".bin").unlink()
    IRREGULAR["a FIFO"](graph.with_suffix(".bin"))
    with pytest.raises(DamagedFileError, match=r"openvino_model\.bin is a FIFO"):
        SentenceTransformer(folder, backend="openvino")
