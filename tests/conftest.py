"""Fixtures that several tests share; loaded models are read only."""

from pathlib import Path

import pytest

from edge_st import SentenceTransformer
from tests.tiny_models import TinyModel


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
