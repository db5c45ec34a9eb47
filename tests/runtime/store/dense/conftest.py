from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.small_vectors import Small


@pytest.fixture
def small(tmp_path: Path, quick_disk: None) -> Iterator[Small]:
    """Several segments, some rows deleted."""
    found = Small.create(tmp_path / "index", "int8", "float32")
    for count in (30, *[1] * 7):
        found.append(count)
    found.delete(3, 4)
    yield found
    found.index.close()
