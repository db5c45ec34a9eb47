"""A retriever's best passages, joined for a language model."""

import pytest

from edge_st import CrossEncoder, Retriever, SentenceTransformer
from edge_st_runtime.errors import InputError, OptionError
from tests.support.passages import BOATS, DOOR, FOX, filled, ids


def test_context_is_whole_passages_best_first(dense: SentenceTransformer, reranker: CrossEncoder) -> None:
    retriever = filled(dense, "bm25", reranker)
    assert retriever.context("boats", top_k=2) == f"{DOOR}\n\n{FOX}"
    assert retriever.context("boats", top_k=2, separator=" / ") == f"{DOOR} / {FOX}"
    whole = len(DOOR) + 2 + len(FOX)
    assert retriever.context("boats", max_length=whole) == f"{DOOR}\n\n{FOX}"
    assert retriever.context("boats", max_length=whole - 1) == DOOR


def test_context_counts_as_it_is_told(dense: SentenceTransformer) -> None:
    def tokens(text: str) -> int:
        return int(dense.count_tokens(text))

    retriever = filled(dense)
    most = tokens(BOATS)
    assert retriever.context("boats at sea", max_length=most, length=tokens) == BOATS
    with pytest.raises(InputError, match=rf"the best passage has length {most}, the context may have {most - 1};"):
        retriever.context("boats at sea", max_length=most - 1, length=tokens)
    with pytest.raises(OptionError, match="max_length must be a positive integer"):
        retriever.context("boats at sea", max_length=0)


def test_a_worse_passage_takes_no_better_ones_place() -> None:
    retriever = Retriever(sparse="bm25")
    retriever.add(["fox fox", "fox and more that is much too long", "fox of the sea"])
    assert ids(retriever.search("fox")) == [0, 2, 1]
    assert retriever.context("fox", max_length=12) == "fox fox"
