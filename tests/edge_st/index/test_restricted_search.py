"""Searches among some of the rows: by metadata, by ids and by score."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import Index, SentenceTransformer
from tests.support.indexed import TEXTS, ids_of


def test_filters(index: Index) -> None:
    everything = index.search("fruit", top_k=len(TEXTS))

    def check(wanted: Any, given: Any, **more: Any) -> None:
        expected = [hit for hit in everything if wanted(hit["metadata"])]
        assert ids_of(index.search("fruit", 10, given, **more)) == ids_of(expected)[:10]

    third = {"third": True}
    check(lambda metadata: metadata["third"], third)
    check(lambda metadata: metadata["third"], lambda metadata: metadata["third"])
    check(lambda metadata: metadata["place"] in (3, 5), {"place": [3, 5, 9999]})
    check(lambda metadata: metadata["place"] in (3, 5), {"place": {3, 5}})
    check(lambda metadata: metadata["place"] in (3, 6, 9), {"place": (3, 5, 6, 9), "third": True})
    check(lambda metadata: metadata["place"] == 3, {"place": 3})
    check(lambda metadata: "cat" in metadata["words"], lambda metadata: "cat" in metadata["words"])
    check(
        lambda metadata: "cat" in metadata["words"],
        lambda metadata: [word for word in metadata["words"] if word == "cat"],
    )
    check(lambda _: False, {"nothing": 1})
    check(lambda _: False, {"words": {"cat"}})
    check(lambda _: False, {"place": []})
    check(lambda _: True, {})
    check(lambda metadata: metadata["words"] == TEXTS[5].split(), {"words": [TEXTS[5].split()]})
    ids = list(range(0, 200, 7))
    check(lambda metadata: metadata["third"] and metadata["place"] in ids, third, ids=ids)


def test_a_filter_is_asked_once_for_each_metadata(tmp_path: Path, model: SentenceTransformer) -> None:
    asked = []

    def accept(metadata: Any) -> bool:
        asked.append(metadata)
        return True

    metadata = [{"kind": place % 2} for place in range(len(TEXTS))]
    Index.build(model, TEXTS, tmp_path / "x", metadata=metadata).search("fruit", filter=accept)
    assert asked == [{"kind": 0}, {"kind": 1}]


def test_a_filter_that_fails(index: Index) -> None:
    with pytest.raises(KeyError, match="missing"):
        index.search("fruit", filter=lambda metadata: metadata["missing"])


def test_ids(index: Index) -> None:
    everything = ids_of(index.search("fruit", top_k=len(TEXTS)))
    for ids in ([5], [7, 3, 100], list(range(150)), np.array([4, 8]), (9,)):
        assert ids_of(index.search("fruit", ids=ids)) == [found for found in everything if found in list(ids)][:10]
    assert index.search("fruit", ids=[]) == []


def test_score_threshold(index: Index) -> None:
    scores = [hit["score"] for hit in index.search("fruit", top_k=len(TEXTS))]
    for place in (0, 3, 50):
        found = index.search("fruit", top_k=len(TEXTS), score_threshold=scores[place])
        assert [hit["score"] for hit in found] == [score for score in scores if score >= scores[place]]
    assert index.search("fruit", score_threshold=1.01) == []
    assert len(index.search("fruit", score_threshold=-2)) == 10
    assert index.search(["fruit", "cat"], score_threshold=1.01) == [[], []]
