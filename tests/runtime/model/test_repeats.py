"""Texts that occur several times in a call."""

import random
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.model import repeats
from edge_st_runtime.model.repeats import find_distinct
from edge_st_runtime.text.tokens import TextOrPair


def drawn(count: int, kinds: int) -> list[TextOrPair]:
    draw = random.Random(count)
    texts: list[TextOrPair] = [f"text {draw.randrange(kinds)}" for _ in range(count)]
    return [(text, "b") if isinstance(text, str) and draw.random() < 0.3 else text for text in texts]


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "a"], drawn(50, 10**9), drawn(500, 40), ["a", ("a", "a"), "a"]])
def test_every_place_leads_to_its_text(texts: list[TextOrPair]) -> None:
    found = find_distinct(texts)
    assert list(found.texts) == list(dict.fromkeys(texts))
    assert found.count == len(texts) == len(found.first) + len(found.copies)
    assert [texts[place] for place in found.first] == list(found.texts)
    assert [texts.index(texts[place]) for place in found.copies] == found.originals.tolist()
    assert found.places(found.first).tolist() == list(range(len(texts)))


def test_places_of_some() -> None:
    found = find_distinct(["a", "b", "a", "c", "b", "a"])
    assert found.places(np.array([0])).tolist() == [0, 2, 5]
    assert found.places(np.array([3, 1])).tolist() == [1, 3, 4]


def test_equal_hashes_are_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def same_hash(_text: Any) -> int:
        return 7

    monkeypatch.setattr(repeats, "hash", same_hash, raising=False)
    assert find_distinct(["a", "b", "a"]).texts == ["a", "b"]
    assert find_distinct(["a", "b", "c"]).texts == ["a", "b", "c"]
