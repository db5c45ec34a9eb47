"""MultiVectorEncoder and its poolings take the arguments that sentence-transformers' take, in the same order."""

import inspect
from typing import Any

import pytest
import sentence_transformers as st
from sentence_transformers.multi_vector_encoder import modules as original

from edge_st import MultiVectorEncoder
from edge_st.multi_vector_encoder import modules


def arguments(function: Any) -> dict[str, tuple[Any, Any]]:
    """The defaults and kinds of a function's arguments."""
    return {name: (each.default, each.kind) for name, each in inspect.signature(function).parameters.items()}


def test_those_of_encode() -> None:
    found, wanted = arguments(MultiVectorEncoder.encode), arguments(st.MultiVectorEncoder.encode)
    assert list(found) == list(wanted)
    different = {name for name in wanted if found[name] != wanted[name]}
    assert different == {"inputs"}, "old names of inputs are taken, too, so that inputs has a default"


@pytest.mark.parametrize("name", ["encode_query", "encode_document"])
def test_those_of_queries_and_documents_by_place(name: str) -> None:
    wanted = [each for each in arguments(getattr(st.MultiVectorEncoder, name)) if each not in ("self", "kwargs")]
    assert wanted == ["inputs", "prompt_name", "prompt", *MultiVectorEncoder._after_prompt]


def test_the_scores_that_it_knows() -> None:
    assert set(MultiVectorEncoder.SUPPORTED_SIMILARITY_FN_NAMES) == set(
        st.MultiVectorEncoder.SUPPORTED_SIMILARITY_FN_NAMES
    )


@pytest.mark.parametrize("name", ["similarity", "similarity_pairwise"])
def test_those_of_scores(name: str) -> None:
    assert arguments(getattr(MultiVectorEncoder, name)) == arguments(getattr(st.MultiVectorEncoder, name))


def test_the_poolings() -> None:
    assert sorted(modules.__all__) == sorted(original.__all__)
    for name in ("HierarchicalTokenPooling", "LambdaTokenPooling", "BaseTokenPooling"):
        found, wanted = getattr(modules, name), getattr(original, name)
        assert arguments(found.__init__) == arguments(wanted.__init__), name
        assert arguments(found.pool) == arguments(wanted.pool), name
