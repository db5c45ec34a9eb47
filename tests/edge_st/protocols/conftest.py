"""Models that the shapes are tested with, on one engine."""

from pathlib import Path

import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.models.classes import Model


@pytest.fixture(scope="session")
def small(tiny_folder: Path) -> SentenceTransformer:
    """A dense model with a limit, token embeddings and prompts."""
    prompts = {"query": "the good ", "passage": "a day ", "retrieval.query": "is it "}
    return SentenceTransformer(tiny_folder, backend="onnx", dtype="float32", prompts=prompts)


@pytest.fixture(scope="session")
def dense(models: dict[str, Model]) -> SentenceTransformer:
    """The bundled model."""
    assert isinstance(models["dense"], SentenceTransformer)
    return models["dense"]


@pytest.fixture(scope="session")
def sparse(models: dict[str, Model]) -> SparseEncoder:
    """A SPLADE model."""
    assert isinstance(models["sparse"], SparseEncoder)
    return models["sparse"]


@pytest.fixture(scope="session")
def cross(models: dict[str, Model]) -> CrossEncoder:
    """A reranker."""
    assert isinstance(models["cross"], CrossEncoder)
    return models["cross"]


@pytest.fixture(scope="session")
def classifier(models: dict[str, Model]) -> CrossEncoder:
    """A cross-encoder with three labels."""
    assert isinstance(models["classifier"], CrossEncoder)
    return models["classifier"]
