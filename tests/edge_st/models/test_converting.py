"""A folder with weights and no graph: the line to type, or a graph in the cache where a converter is installed."""

import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.models.converting import GROUP
from edge_st_runtime.errors import MissingFileError, OptionError
from tests.support.installed_models import install
from tests.support.tiny_models import TinyModel, write_json
from tests.support.tiny_tokenizers import random_texts

TEXTS = random_texts(8)
CONVERTER = """
import shutil
from edge_st_runtime.errors import UnsupportedModelError

def convert(folder, out, task):
    if (folder / "refused").exists():
        raise UnsupportedModelError("architecture 'ClippyModel'")
    shutil.copytree(folder, out)
    (out / "weights").rename(out / "onnx" / "model.onnx")
"""


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A model whose graph is kept in a file that only the converter takes for one."""
    folder = TinyModel().save(tmp_path / "model")
    (folder / "onnx" / "model.onnx").rename(folder / "weights")
    return folder


@pytest.fixture
def converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution that converts."""
    site = install(tmp_path / "site", {"onnx": "tiny_converter:convert"}, distribution="tiny-converter", group=GROUP)
    (site / "tiny_converter.py").write_text(CONVERTER)
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "tiny_converter", raising=False)


def test_the_line_to_type(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)  # as where it is not installed
    with pytest.raises(MissingFileError, match=rf"no graph at all.*edge-st convert {folder} OUT") as raised:
        SentenceTransformer(folder)
    assert len(str(raised.value).replace(str(folder), "")) < 400


@pytest.mark.usefixtures("converter")
def test_it_is_converted_once(folder: Path, tiny: TinyModel, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        model = SentenceTransformer(folder)
    (message,) = caplog.messages
    assert message == f"{folder} has no graph; the one converted from its weights is taken: {model.info()['path']}"
    np.testing.assert_allclose(model.encode(TEXTS), tiny.means(TEXTS), atol=2e-6)
    written = (Path(model.info()["path"]) / "onnx" / "model.onnx").stat().st_mtime_ns
    again = SentenceTransformer(folder)
    assert again.info() == model.info()
    assert (Path(again.info()["path"]) / "onnx" / "model.onnx").stat().st_mtime_ns == written
    write_json(folder / "config_sentence_transformers.json", {"prompts": {"query": "the "}})
    assert SentenceTransformer(folder).prompts["query"] == "the "


@pytest.mark.usefixtures("converter")
def test_it_is_not_converted(folder: Path) -> None:
    with pytest.raises(MissingFileError, match=r"edge-st convert"):
        SentenceTransformer(folder, convert="never")
    with pytest.raises(OptionError, match=r"convert is True; expected one of \('auto', 'never'\)"):
        SentenceTransformer(folder, convert=True)
    (folder / "refused").touch()
    with pytest.raises(MissingFileError, match=r"edge-st convert.*could not be converted here: architecture 'Clippy"):
        SentenceTransformer(folder)


@pytest.mark.usefixtures("converter")
def test_a_cache_that_cannot_be_written(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(MissingFileError, match=r"could not be converted here: .*Not a directory"):
        SentenceTransformer(folder)
