"""Fixtures that several tests share; loaded models are read only."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_st import SentenceTransformer
from tests.support.tiny_models import TinyModel


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept about this machine is kept for the tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", params=["onnx", "openvino"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def tiny() -> TinyModel:
    """A BERT-like model with mean pooling."""
    return TinyModel()


@pytest.fixture(scope="session")
def tiny_folder(tiny: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``tiny`` as a folder."""
    return tiny.save(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def model(tiny_folder: Path, engine: str) -> SentenceTransformer:
    """``tiny`` loaded in float32 by each engine."""
    return SentenceTransformer(tiny_folder, backend=engine, dtype="float32", num_threads=2)


@pytest.fixture
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for the disk: for tests that no power cut is to interrupt."""
    monkeypatch.setattr("os.fsync", lambda _: None)
