"""Which rows an index has: looked up by id, listed by metadata."""

from pathlib import Path

import numpy as np
import pytest

from edge_st import Index
from edge_st_runtime.errors import InputError, InputTypeError, OptionError


@pytest.fixture
def index(tmp_path: Path) -> Index:
    metadata = [{"lang": "en"}, {"lang": "de"}, None, {"lang": "en"}]
    return Index.build(None, ["a", "b", "c", "d"], tmp_path, [3, "b", "3", 1], metadata, embeddings=np.eye(4, 8))


def test_find_is_get_with_none_for_what_is_not_there(index: Index) -> None:
    found = index.find(["3", 2, 3, "1"])
    assert found == [*index.get(["3"]), None, *index.get([3]), None]
    index.delete([3])
    assert index.find([3]) == [None]
    assert index.find([]) == []
    with pytest.raises(InputError, match="are both"):
        index.find([1, 1])
    with pytest.raises(InputTypeError, match="ids is str"):
        index.find("b")


def test_ids_are_in_the_order_of_adding(index: Index) -> None:
    assert index.ids() == [3, "b", "3", 1]
    assert index.ids({"lang": "en"}) == [3, 1]
    assert index.ids(lambda metadata: not metadata) == ["3"]
    index.delete([3])
    index.add(["e"], ["e"], embeddings=np.ones((1, 8)))
    assert index.ids() == ["b", "3", 1, "e"]
    index.compact()
    assert index.ids() == ["b", "3", 1, "e"]
    with pytest.raises(OptionError, match="filter is str"):
        index.ids("en")  # type: ignore[arg-type]


def test_numbers_that_are_ids_already(tmp_path: Path) -> None:
    index = Index.build(None, None, tmp_path, embeddings=np.eye(1, 8), ids=[1])
    with pytest.raises(InputError, match="ids is None, and the next number, 1, is in use as an id; pass ids of"):
        index.add(None, embeddings=np.eye(1, 8))
