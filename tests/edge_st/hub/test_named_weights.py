"""Weights in a file whose name only the graph tells."""

from pathlib import Path

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.hub.pull import pull
from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import HubError, MissingFileError, UnsafePathError
from tests.support.hub_models import NAME, contents
from tests.support.hub_server import HubServer
from tests.support.tiny_graphs import store_outside
from tests.support.tiny_models import TinyModel

WEIGHTS = "onnx/weights.bin"


@pytest.fixture
def local(tmp_path: Path) -> Path:
    folder = TinyModel().save(tmp_path / "local")
    store_outside(folder / "onnx/model.onnx", "weights.bin")
    return folder


def files(folder: Path, *left_out: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in contents(folder) if name not in left_out}


def test_they_are_downloaded(hub: HubServer, local: Path, tmp_path: Path) -> None:
    hub.add(NAME, {**files(local), "onnx/other.bin": b"x"})
    expected = SentenceTransformer(local, backend="onnx").encode("the quick fox")

    assert contents(resolve(NAME, backend="onnx")) == contents(local) == hub.requested()
    assert contents(pull(NAME, tmp_path / "out", backend="onnx")) == contents(local)
    for name in (NAME, str(tmp_path / "out")):
        np.testing.assert_array_equal(SentenceTransformer(name, backend="onnx").encode("the quick fox"), expected)
    hub.log.clear()
    pull(NAME, tmp_path / "out", backend="onnx")
    assert not hub.requested()


def test_a_copy_without_them_is_incomplete(hub: HubServer, local: Path) -> None:
    hub.add(NAME, files(local))
    (resolve(NAME, backend="onnx") / WEIGHTS).unlink()

    with pytest.raises(HubError, match=rf"lacks what is needed .*no {WEIGHTS}"):
        resolve(NAME, backend="onnx", local_files_only=True)
    assert (resolve(NAME, backend="onnx") / WEIGHTS).is_file()


def test_damaged_ones_are_thrown_away(hub: HubServer, local: Path, tmp_path: Path) -> None:
    hub.add(NAME, files(local))
    hub.corrupt.add(WEIGHTS)
    for download in (lambda: pull(NAME, tmp_path / "out", backend="onnx"), lambda: resolve(NAME, backend="onnx")):
        with pytest.raises(HubError, match=rf"{WEIGHTS} of {NAME} arrived damaged"):
            download()
    assert not (tmp_path / "out").exists()


def test_a_repository_that_lacks_them_or_a_graph_that_leads_outside(hub: HubServer, local: Path) -> None:
    hub.add(NAME, files(local, WEIGHTS))
    with pytest.raises(MissingFileError, match=rf"{NAME}: it has no {WEIGHTS}"):
        resolve(NAME, backend="onnx")
    hub.add(
        NAME,
        {
            **files(local),
            "onnx/model.onnx": (local / "onnx/model.onnx").read_bytes().replace(b"weights.bin", b"../config.j"),
        },
    )
    with pytest.raises(UnsafePathError, match=r"\.\./config\.j"):
        resolve(NAME, backend="onnx")
