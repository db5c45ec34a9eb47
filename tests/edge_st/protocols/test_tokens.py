"""The shapes of /tokenize and /decode."""

from typing import Any

import pytest

from edge_st import CrossEncoder, SentenceTransformer
from edge_st.protocols.fields import RequestError
from edge_st.protocols.tokens import answer_decode, answer_tokenize
from tests.support.answers import body_of

TEXTS = ["the quick fox", "naïve fox 😀 day"]


def test_tokens_have_their_places_in_the_text(small: SentenceTransformer) -> None:
    found = body_of(answer_tokenize, small, {"inputs": TEXTS})
    for text, tokens, ids in zip(TEXTS, found, small.preprocess(TEXTS)["input_ids"].tolist(), strict=True):
        assert [each["id"] for each in tokens] == ids[: len(tokens)]
        assert [each["special"] for each in tokens] == [True, *[False] * (len(tokens) - 2), True]
        assert tokens[0] == {"id": ids[0], "text": "[CLS]", "special": True, "start": None, "stop": None}
        for each in tokens[1:-1]:
            assert each["text"] == text[each["start"] : each["stop"]]
        assert " ".join(each["text"] for each in tokens[1:4])[:3] == text[:3]


def test_special_tokens_may_be_left_out(small: SentenceTransformer) -> None:
    whole, without = (
        body_of(answer_tokenize, small, {"inputs": TEXTS[0], "add_special_tokens": add})[0] for add in (None, False)
    )
    assert without == whole[1:-1]


def test_a_static_model_has_none(dense: SentenceTransformer) -> None:
    found = body_of(answer_tokenize, dense, {"inputs": TEXTS[0]})[0]
    assert [each["text"] for each in found] == TEXTS[0].split()
    assert len(found) == dense.count_tokens(TEXTS[0])


def test_a_prompt_goes_before_the_text(small: SentenceTransformer) -> None:
    found = body_of(answer_tokenize, small, {"inputs": "fox", "prompt_name": "query"})[0]
    assert "".join(each["text"] for each in found[1:-1]) == "thegoodfox"
    assert (found[1]["start"], found[-2]["stop"]) == (0, len("the good fox"))


def test_decoding_undoes_it(small: SentenceTransformer, cross: CrossEncoder) -> None:
    for model in (small, cross):
        ids = [[each["id"] for each in tokens] for tokens in body_of(answer_tokenize, model, {"inputs": TEXTS[:1]})]
        assert body_of(answer_decode, model, {"ids": ids, "skip_special_tokens": None}) == TEXTS[:1]
        assert body_of(answer_decode, model, {"ids": ids[0]}) == TEXTS[:1]
        (with_special,) = body_of(answer_decode, model, {"ids": ids, "skip_special_tokens": False})
        assert with_special.startswith("[CLS]")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (None, "`ids` is missing"),
        ("a", "`ids` is the string 'a'"),
        ([], "an empty list"),
        ([1, 10**12], r"`ids\[1\]` is the number 1000000000000, which is no token id"),
        ([[1], 2], r"`ids\[1\]` is the number 2; expected a list"),
        ([[1], [2, "x"]], r"`ids\[1\]\[1\]` is the string 'x'"),
        ([True], "is true, which is no token id"),
        ([10**200], "a very large number"),
    ],
)
def test_what_is_no_token_id_is_named(small: SentenceTransformer, ids: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        body_of(answer_decode, small, {"ids": ids})
