from pathlib import Path
from typing import Any

import pytest

from edge_st import MultiVectorEncoder
from tests.support.tiny_multi_vector import Folders


@pytest.fixture
def folders(tiny_folder: Path, tmp_path: Path, engine: str) -> Folders:
    return Folders(tiny_folder, tmp_path, engine)


@pytest.fixture(scope="module")
def colbert(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory, engine: str) -> MultiVectorEncoder:
    return Folders(tiny_folder, tmp_path_factory.mktemp("colbert"), engine)()


@pytest.fixture(scope="module")
def plain(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory, engine: str) -> MultiVectorEncoder:
    """A model without an expansion and without a skip list."""
    settings: dict[str, Any] = {"query_expansion": None, "skiplist_words": ()}
    return Folders(tiny_folder, tmp_path_factory.mktemp("plain"), engine)(**settings)
