"""Weights that a graph names, behind links that lead out of its folder, as in the Hub's cache."""

from pathlib import Path
from shutil import move
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edge_st import SentenceTransformer
from edge_st_runtime.errors import EngineError
from tests.support.tiny_graphs import store_outside
from tests.support.tiny_models import TinyModel

TEXTS = ["the quick fox", "a"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    TinyModel().save(tmp_path / "model")
    store_outside(tmp_path / "model/onnx/model.onnx", "weights.bin")
    return tmp_path / "model"


def vectors(folder: Path, engine: str) -> NDArray[np.float32]:
    return SentenceTransformer(folder, backend=engine, dtype="float32").encode(TEXTS)


def test_every_file_is_a_link(folder: Path, engine: str) -> None:
    expected, blobs = vectors(folder, engine), folder.with_name("blobs")
    blobs.mkdir()
    files = [path for path in folder.rglob("*") if path.is_file()]
    for number, path in enumerate(files):
        path.rename(blobs / str(number))
        path.symlink_to(blobs / str(number))
    np.testing.assert_array_equal(vectors(folder, engine), expected)
    assert len(list(blobs.iterdir())) == len(files)


def test_the_weights_alone_are_a_link(folder: Path, engine: str) -> None:
    expected, weights = vectors(folder, engine), folder / "onnx/weights.bin"
    weights.rename(folder / "weights.bin")
    weights.symlink_to("../weights.bin")
    np.testing.assert_array_equal(vectors(folder, engine), expected)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_weights_on_two_file_systems(tmp_path: Path) -> None:
    graph = TinyModel().save(tmp_path) / "onnx/model.onnx"
    options = {"save_as_external_data": True, "all_tensors_to_one_file": False, "size_threshold": 256}
    onnx.save(onnx.load(graph), graph, **options)
    expected, one = vectors(tmp_path, "onnx"), max(graph.parent.glob("mix*"))
    with TemporaryDirectory(dir="/dev/shm") as elsewhere:
        one.symlink_to(move(one, elsewhere))
        np.testing.assert_array_equal(vectors(tmp_path, "onnx"), expected)
        with pytest.raises(EngineError, match=r"does not follow the links.*backend='onnx', or.*edge-st pull NAME OUT"):
            vectors(tmp_path, "openvino")
