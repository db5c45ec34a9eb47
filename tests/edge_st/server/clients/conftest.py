"""Servers in processes of their own, and what their models give without a server."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from tests.support.clients import Client, client_python, requirements_of
from tests.support.readme import PACKAGED
from tests.support.serving import Served, served

KEY = "a-key-for-tests"
BUNDLED = "static-all-MiniLM-L6-v2"
#: of the real model, so that it matters whether a text is a query
PROMPTS = {"query": "query: ", "document": "passage: "}


@pytest.fixture(scope="session")
def arguments(
    cross_encoder_folders: dict[int, Path], sparse_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """Serve a real model in int8, the bundled static one, a tiny cross-encoder and a tiny sparse encoder."""
    models = [
        {"model": str(PACKAGED), "name": "all-MiniLM-L6-v2", "options": {"prompts": PROMPTS}},
        {"name": BUNDLED},
        {"model": str(cross_encoder_folders[1]), "name": "reranker"},
        {"model": str(sparse_folder), "name": "splade"},
    ]
    config = tmp_path_factory.mktemp("config") / "serve.yaml"
    config.write_text(json.dumps({"models": models, "threads": 2}), encoding="utf-8")
    return ["--config", str(config), "--port", "0"]


@pytest.fixture(scope="session")
def server(arguments: list[str]) -> Iterator[Served]:
    """A server that asks for no key. It never failed when the tests end."""
    with served(*arguments) as running:
        yield running
        assert running.end() == 0
        assert [line for line in running.lines if " ERROR " in line or "Traceback" in line] == []


@pytest.fixture(scope="session")
def address(server: Served) -> str:
    return server.address


@pytest.fixture(scope="session")
def locked(arguments: list[str]) -> Iterator[str]:
    """The address of a server that asks for `KEY`."""
    with served(*arguments, environment={"EDGE_ST_KEYS": f"tests:{KEY}"}) as running:
        yield running.address


@pytest.fixture(scope="session")
def dense() -> SentenceTransformer:
    """The real model."""
    return SentenceTransformer(PACKAGED, prompts=PROMPTS)


@pytest.fixture(scope="session")
def bundled() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture(scope="session")
def cross(cross_encoder_folders: dict[int, Path]) -> CrossEncoder:
    return CrossEncoder(cross_encoder_folders[1], backend="onnx")


@pytest.fixture(scope="session")
def sparse(sparse_folder: Path) -> SparseEncoder:
    return SparseEncoder(sparse_folder, backend="onnx")


@pytest.fixture
def client_of(tmp_path: Path) -> Callable[[str], Client]:
    """The client under a heading of the page."""
    return lambda heading: Client(client_python(*requirements_of(heading)), tmp_path)
