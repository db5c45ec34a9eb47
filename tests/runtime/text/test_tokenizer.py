"""The tokenizer: the settings that apply, those that do not, and many threads at once."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from edge_st_runtime.errors import DamagedFileError, InputError, MissingFileError, OptionError, UnsupportedModelError
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.tiny_tokenizers import NASTY, byte_bpe, closing_bpe, random_texts, save_tokenizer, wordpiece

TEXTS = [*NASTY, *random_texts(50)]
PAIRS = list(zip(TEXTS, reversed(TEXTS), strict=True))
KINDS = {"wordpiece": wordpiece, "byte_bpe": byte_bpe, "closing_bpe": closing_bpe}
kinds = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())
Make = Callable[[], Tokenizer]


@kinds
def test_truncation_and_padding_of_the_file_are_ignored(make: Make, tmp_path: Path) -> None:
    stored = json.loads((save_tokenizer(tmp_path, make()) / "tokenizer.json").read_text())
    assert stored["truncation"]["max_length"] == stored["padding"]["strategy"]["Fixed"] == 3
    found = TextTokenizer(tmp_path)(TEXTS, None)
    expected = [encoding.ids for encoding in make().encode_batch(TEXTS)]
    assert [ids.tolist() for ids in found.ids] == expected
    assert found.counts.tolist() == [len(ids) for ids in expected]
    assert found.type_ids is None


@kinds
def test_pairs(make: Make, tmp_path: Path) -> None:
    found = TextTokenizer(save_tokenizer(tmp_path, make()))([TEXTS[3], *PAIRS], None)
    expected = [make().encode(TEXTS[3]), *make().encode_batch(PAIRS)]
    assert [ids.tolist() for ids in found.ids] == [encoding.ids for encoding in expected]
    assert found.type_ids is not None
    assert [ids.tolist() for ids in found.type_ids] == [encoding.type_ids for encoding in expected]


def test_counts_are_those_before_truncation(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()))
    expected = [len(encoding) for encoding in wordpiece().encode_batch([*TEXTS, *PAIRS])]
    assert tokenizer([*TEXTS, *PAIRS], 5).counts.tolist() == expected
    assert tokenizer([*TEXTS, *PAIRS], None).counts.tolist() == expected
    assert tokenizer([], None).counts.tolist() == []


@kinds
def test_where_tokens_begin(make: Make, tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, make()))
    for text in TEXTS:
        starts = tokenizer.starts(text)
        assert len(starts) == len(make().encode(text, add_special_tokens=False))
        assert np.all(np.diff(starts) >= 0)
        assert not len(starts) or 0 <= starts[-1] < len(text)
    assert TextTokenizer(save_tokenizer(tmp_path, wordpiece())).starts("日本 Zürich fox").tolist()[:2] == [0, 1]
    with pytest.raises(InputError, match="surrogate"):
        tokenizer.starts("a\ud800")


def test_without_special_tokens(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()), special_tokens=False)
    assert tokenizer.own_limit == 3
    found = tokenizer(TEXTS, 4)
    expected = [encoding.ids[:4] for encoding in wordpiece().encode_batch(TEXTS, add_special_tokens=False)]
    assert [ids.tolist() for ids in found.ids] == expected
    assert tokenizer([""], None).ids[0].tolist() == []


@pytest.mark.parametrize(
    "texts", [["a", "b\ud800"], ["\udfff"], ["a", ("a", "\ud83d")]], ids=["batch", "alone", "pair"]
)
def test_lone_surrogates(texts: list[Any], tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()))
    for call in (lambda: tokenizer(texts, 8), lambda: tokenizer(texts, None)):
        with pytest.raises(InputError, match="holds a lone surrogate"):
            call()


def test_surrogates_can_be_removed_as_the_message_says(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()))
    repaired = "fox \ud83d dog".encode("utf-8", "ignore").decode()
    np.testing.assert_array_equal(tokenizer([repaired], None).ids[0], tokenizer(["fox dog"], None).ids[0])


def test_lower_case(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, byte_bpe()), lower_case=True)
    assert tokenizer(["The QUICK Fox", "ÉÄ"], None).ids[0].tolist() == byte_bpe().encode("the quick fox").ids


@pytest.mark.parametrize(
    ("config", "text", "same_as"),
    [
        ({"do_lower_case": False, "tokenizer_class": "BertTokenizer"}, "FOX fox", "[UNK] fox"),
        ({"do_lower_case": True, "tokenizer_class": "BertTokenizer"}, "FOX fox", "fox fox"),
        ({"do_lower_case": False, "tokenizer_class": "PreTrainedTokenizerFast"}, "FOX fox", "fox fox"),
        ({"tokenizer_class": "BertTokenizer"}, "FOX fox", "fox fox"),
    ],
)
def test_settings_that_transformers_puts_into_a_bert_tokenizer(
    config: dict[str, Any], text: str, same_as: str, tmp_path: Path
) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece(), **config))
    np.testing.assert_array_equal(tokenizer([text], None).ids[0], wordpiece().encode(same_as).ids)


@pytest.mark.parametrize(
    ("config", "pad_id", "left"),
    [
        ({"pad_token": "<pad>"}, 1, False),
        ({"pad_token": {"content": "<pad>"}, "padding_side": "left"}, 1, True),
        ({"pad_token": "not in the vocabulary"}, byte_bpe().get_vocab_size(), False),
        ({"pad_token": None, "padding_side": "right"}, 0, False),
        ({}, 0, False),
    ],
    ids=str,
)
def test_padding(config: dict[str, Any], pad_id: int, left: bool, tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, byte_bpe(), **config))
    assert (tokenizer.pad_id, tokenizer.pad_left) == (pad_id, left)


@pytest.mark.parametrize(("value", "limit"), [(512, 512), (512.0, 512), (1e30, None), (None, None), ("512", None)])
def test_model_max_length(value: Any, limit: int | None, tmp_path: Path) -> None:
    assert TextTokenizer(save_tokenizer(tmp_path, wordpiece(), model_max_length=value)).model_max_length == limit


@pytest.mark.parametrize(
    ("make", "prompt", "length"),
    [(wordpiece, "the quick fox", 4), (closing_bpe, "fox", None), (wordpiece, "", 1)],
    ids=["[CLS] counts, [SEP] does not", "<eos> does not count", "empty"],
)
def test_prompt_length(make: Make, prompt: str, length: int | None, tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, make()))
    expected = length if length is not None else len(make().encode(prompt)) - 1
    assert tokenizer.prompt_length(prompt, None) == expected


@pytest.mark.parametrize("limit", [0, 1, 2, -5])
def test_limit_without_room(limit: int, tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()))
    with pytest.raises(OptionError, match=f"max_seq_length is {limit}; expected more than the 2 special tokens"):
        tokenizer.check_limit(limit)
    tokenizer.check_limit(3)
    tokenizer.check_limit(None)


def test_many_threads_with_different_limits(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece()))
    jobs = [(text, limit) for text in TEXTS for limit in (3, 7, None)] * 5
    serial = [tokenizer([text], limit).ids[0].tolist() for text, limit in jobs]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda job: tokenizer([job[0]], job[1]).ids[0].tolist(), jobs)) == serial


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(
        MissingFileError, match=r"tokenizer.json is missing; export the model, which also converts a vocab.txt"
    ):
        TextTokenizer(tmp_path)
    path = save_tokenizer(tmp_path, wordpiece()) / "tokenizer.json"
    for content in (path.read_text()[:-20], "{}", ""):
        path.write_text(content)
        with pytest.raises(DamagedFileError, match=r"tokenizer.json (is not a tokenizer|cannot be read as JSON)"):
            TextTokenizer(tmp_path)


def test_another_type_of_tokenizer(tmp_path: Path) -> None:
    path = save_tokenizer(tmp_path, wordpiece()) / "tokenizer.json"
    path.write_text(path.read_text().replace('"WordPiece"', '"Transformer-XL"'))
    with pytest.raises(
        UnsupportedModelError, match="'Transformer-XL'; expected one of BPE, Unigram, WordLevel, WordPiece"
    ):
        TextTokenizer(tmp_path)
