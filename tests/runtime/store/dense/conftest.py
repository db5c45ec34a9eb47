from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.small_vectors import Small


@pytest.fixture
def dense(tmp_path: Path, quick_disk: None) -> Iterator[Small]:
    """Several segments of dense vectors, some rows deleted."""
    found = _filled(Small.create(tmp_path / "index", "int8", "float32"))
    yield found
    found.index.close()


@pytest.fixture(params=["dense", "tokens"])
def small(request: pytest.FixtureRequest, tmp_path: Path, quick_disk: None) -> Iterator[Small]:
    """Several segments of each kind of vectors, some rows deleted."""
    folder = tmp_path / "index"
    made = Small.of_tokens(folder) if request.param == "tokens" else Small.create(folder, "int8", "float32")
    found = _filled(made)
    yield found
    found.index.close()


def _filled(found: Small) -> Small:
    for count in (30, *[1] * 7):
        found.append(count)
    found.delete(3, 4)
    return found
