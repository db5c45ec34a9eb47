"""Pairs joined from texts that are tokenized once: the same tokens as from ``tokenizers`` itself."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, processors
from tokenizers.normalizers import Normalizer

from edge_st_runtime.errors import UnsupportedModelError
from edge_st_runtime.text.pairs import read_template
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.tiny_tokenizers import NASTY, byte_bpe, closing_bpe, random_texts, save_tokenizer, unigram, wordpiece

PAIRS = [
    ("the quick brown fox", "a lazy dog"),
    ("dog", "seven small boats sail across the cold northern sea"),
    ("seven small boats sail across the cold northern sea", "dog"),
    ("who painted the door", "nobody remembers and why"),
    ("", "fox dog"),
    ("fox dog", ""),
    ("", ""),
    ("[SEP] fox </s>", "café Zürich 日本語"),
]


def with_processor(make: Callable[[], Tokenizer], processor: Any) -> Callable[[], Tokenizer]:
    def changed() -> Tokenizer:
        tokenizer = make()
        tokenizer.post_processor = processor
        return tokenizer

    return changed


def template(pair: str, *specials: tuple[str, int]) -> Any:
    return processors.TemplateProcessing("$A", pair, list(specials))


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "BERT": wordpiece,
    "BertProcessing": with_processor(wordpiece, processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))),
    "RoBERTa": byte_bpe,
    "RobertaProcessing": with_processor(byte_bpe, processors.RobertaProcessing(("</s>", 2), ("<s>", 0))),
    "XLM-R": with_processor(unigram, template("<s> $A </s> </s> $B </s>", ("<s>", 0), ("</s>", 2))),
    "XLNet": with_processor(unigram, template("$A </s> $B:1 </s>:1 <s>:2", ("<s>", 0), ("</s>", 2))),
    "T5": with_processor(unigram, template("$A </s> $B </s>", ("</s>", 2))),
    "Qwen": closing_bpe,
    "none": with_processor(wordpiece, None),
}
kinds = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())
Make = Callable[[], Tokenizer]


@kinds
@pytest.mark.parametrize("side", ["right", "left"])
def test_every_limit(side: str, make: Make, tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, make(), truncation_side=side))
    reference = make()
    special = len(reference.encode("", ""))
    longest = max(len(reference.encode(*pair)) for pair in PAIRS)
    for limit in [*range(special, longest + 2), None]:
        reference.no_truncation()
        counts = [len(reference.encode(*pair)) for pair in PAIRS]
        if limit is not None:
            reference.enable_truncation(limit, strategy="longest_first", direction=side)
        expected = [reference.encode(*pair) for pair in PAIRS]
        found = tokenizer(PAIRS, limit)
        assert [ids.tolist() for ids in found.ids] == [encoding.ids for encoding in expected]
        assert found.type_ids is not None
        assert [types.tolist() for types in found.type_ids] == [encoding.type_ids for encoding in expected]
        assert found.counts.tolist() == counts


@kinds
def test_limits_without_room_leave_the_special_tokens(make: Make, tmp_path: Path) -> None:
    """Here tokenizers itself truncates nothing."""
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, make()))
    special = make().encode("", "")
    for limit in range(len(special) + 1):
        found = tokenizer(PAIRS, limit)
        assert [ids.tolist() for ids in found.ids] == [special.ids] * len(PAIRS)


@kinds
def test_many_pairs(make: Make, tmp_path: Path) -> None:
    texts = [*NASTY, *random_texts(40)]
    pairs = list(zip(texts, reversed(texts), strict=True))
    found = TextTokenizer(save_tokenizer(tmp_path, make()))(pairs, None)
    expected = [make().encode(*pair) for pair in pairs]
    assert [ids.tolist() for ids in found.ids] == [encoding.ids for encoding in expected]


def test_without_special_tokens(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()), special_tokens=False)
    expected = [wordpiece().encode(*pair, add_special_tokens=False) for pair in PAIRS]
    found = tokenizer(PAIRS, None)
    assert [ids.tolist() for ids in found.ids] == [encoding.ids for encoding in expected]
    assert found.type_ids is not None
    assert [types.tolist() for types in found.type_ids] == [encoding.type_ids for encoding in expected]


def test_a_prompt_goes_before_the_first_text(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()))
    found = tokenizer([("fox", "dog"), "sea"], None, "old ")
    expected = [wordpiece().encode("old fox", "dog").ids, wordpiece().encode("old sea").ids]
    assert [ids.tolist() for ids in found.ids] == expected


def test_each_text_is_tokenized_once(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()))
    seen: Counter[str] = Counter()

    class Counting:
        def normalize(self, text: Any) -> None:
            seen[text.original] += 1

    documents = [f"document {number % 50}" for number in range(200)]
    tokenizer([("a", "b")], None)
    tokenizer.tokenizer.normalizer = Normalizer.custom(Counting())
    assert len(tokenizer([("the query", document) for document in documents], 12).ids) == 200
    assert seen == Counter({"the query": 1, **dict.fromkeys(documents, 1)})
    seen.clear()
    tokenizer([("the query", document) for document in documents], 12, "prompt: ")
    assert seen == Counter({"prompt: the query": 1, **dict.fromkeys(documents, 1)})


def test_the_parts_of_a_template() -> None:
    tokenizer = with_processor(unigram, template("$A </s> $B:1 </s>:1 <s>:2", ("<s>", 0), ("</s>", 2)))()
    found = read_template(tokenizer.encode)
    assert [ids.tolist() for ids in found.ids] == [[], [2], [2, 0]]
    assert [types.tolist() for types in found.type_ids] == [[], [0], [1, 2]]
    assert (found.types, found.size) == ((0, 1), 3)
    ids, types = found.join(np.array([7, 8, 9], np.int32), np.array([5], np.int32), 6, cut_left=True)
    assert (ids.tolist(), types.tolist()) == ([8, 9, 2, 5, 2, 0], [0, 0, 0, 1, 1, 2])


@pytest.mark.parametrize("pair", ["$B </s> $A", "$A </s> $B $A"], ids=str)
def test_templates_that_are_no_pair(pair: str, tmp_path: Path) -> None:
    make = with_processor(unigram, template(pair, ("</s>", 2)))
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, make()))
    assert len(tokenizer(["fox"], None).ids[0]) == len(make().encode("fox"))
    with pytest.raises(UnsupportedModelError, match="does not put the second text of a pair after the first"):
        tokenizer([("fox", "dog")], None)
