"""The models of a retriever."""

from pathlib import Path

import pytest

from edge_st import CrossEncoder, SentenceTransformer
from tests.support.passages import TINY_RERANKER
from tests.support.tiny_graphs import TinyGraph
from tests.support.tiny_models import TinyModel, write_json


@pytest.fixture(scope="module")
def dense() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture(scope="module")
def reranker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY_RERANKER.save(tmp_path_factory.mktemp("models") / "reranker")


@pytest.fixture(scope="module")
def reranker(reranker_folder: Path) -> CrossEncoder:
    return CrossEncoder(reranker_folder)


@pytest.fixture(scope="module")
def sparse_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fill-mask model without modules.json: its 12 'logits' go through SPLADE pooling."""
    folder = tmp_path_factory.mktemp("models") / "sparse"
    model = TinyModel(graph=TinyGraph(outputs={"logits": "tokens"}))
    model.save(folder)
    (folder / "modules.json").unlink()
    write_json(folder / "config.json", {**model.config, "architectures": ["BertForMaskedLM"], "vocab_size": 500})
    return folder
