"""Graphs that other exporters quantized: what they are called, what they compute in, and vectors that hold."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st_runtime.errors import OptionError
from tests.support.tiny_models import TinyModel
from tests.support.tiny_tokenizers import random_texts
from tests.support.variants import quantize

TEXTS = ["a", *random_texts(20)]
PLAIN, QUANTIZED = "onnx/model.onnx", "onnx/model_quantized.onnx"


@pytest.fixture(params=[PLAIN, QUANTIZED, "model_uint8.onnx", "onnx/tiny.onnx"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(name: str, tmp_path: Path) -> Path:
    """A folder whose only graph is quantized."""
    folder = TinyModel(graph_files=(name,)).save(tmp_path)
    quantize(folder / name)
    return folder


def test_a_text_alone_and_among_others(folder: Path, name: str, tiny: TinyModel) -> None:
    model = SentenceTransformer(folder, num_threads=2)
    together = model.encode(TEXTS)
    np.testing.assert_array_equal(together, np.stack([model.encode(text) for text in TEXTS]))
    np.testing.assert_allclose(together, tiny.means(TEXTS), atol=0.05)
    assert (model.info()["graph"], model.info()["dtype"]) == (name, "int8")


def test_what_is_said(folder: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        SentenceTransformer(folder, backend="onnx")
    chosen, one_by_one = caplog.messages
    assert f"{name} (onnx, int8): " in chosen
    assert "gives other vectors" in chosen
    assert "float32:" not in chosen
    assert "each runs in a batch of its own" in one_by_one


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_float32_is_not_an_integer_graph(dtype: str, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_st_runtime.model.choosing.has_bfloat16", lambda: True)
    backend = "openvino" if dtype == "bfloat16" else "onnx"
    wanted: tuple[type[Exception], str] = (OptionError, f"computes in int8, but dtype is '{dtype}'")
    if name in (QUANTIZED, "model_uint8.onnx"):
        wanted = FileNotFoundError, f"no graph for backend='{backend}', dtype='{dtype}'"
    with pytest.raises(wanted[0], match=wanted[1]):
        SentenceTransformer(folder, dtype=dtype, backend=backend)


def test_a_named_file(folder: Path, name: str) -> None:
    given: dict[str, Any] = {"model_kwargs": {"file_name": name}}
    assert SentenceTransformer(folder, **given).info()["dtype"] == "int8"
    with pytest.raises(OptionError, match=r"computes in int8, but dtype is 'float32'"):
        SentenceTransformer(folder, dtype="float32", **given)


def test_a_float32_graph_comes_first(tmp_path: Path, tiny: TinyModel) -> None:
    folder = TinyModel(graph_files=(PLAIN, "model.onnx", QUANTIZED)).save(tmp_path)
    quantize(folder / PLAIN)
    model = SentenceTransformer(folder, backend="onnx")
    assert (model.info()["graph"], model.info()["dtype"]) == ("model.onnx", "float32")
    np.testing.assert_allclose(model.encode(TEXTS), tiny.means(TEXTS), atol=2e-6)


def test_the_fingerprint_is_of_int8(folder: Path, name: str, tmp_path: Path) -> None:
    """By its file the digest of the weights is the same; what it computes in is counted too."""
    model = SentenceTransformer(folder, backend="onnx")
    assert model.fingerprint == SentenceTransformer(folder, model_kwargs={"file_name": name}).fingerprint
