"""The bundled model, and an index of the texts that no test changes."""

import pytest

from edge_st import Index, SentenceTransformer
from tests.support.indexed import METADATA, TEXTS


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture(scope="module")
def index(model: SentenceTransformer, tmp_path_factory: pytest.TempPathFactory) -> Index:
    with Index.build(model, TEXTS, tmp_path_factory.mktemp("index") / "made", metadata=METADATA) as found:
        return found
