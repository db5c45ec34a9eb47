"""The tokenizers of whole words."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import InputError, OptionError, PackageMissingError, UnsupportedModelError
from edge_st_runtime.text.word_tokenizer import WordTokenizer, read_word_tokenizer
from tests.support.tiny_models import write_json
from tests.support.tiny_words import VOCABULARY, write_words


def words(tokenizer: WordTokenizer, text: str) -> list[str]:
    return [VOCABULARY[token] for token in tokenizer([text], None).ids[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the cat sat on the mat", ["cat", "sat", "mat"]),
        ("(Cat), SAT! mat.", ["cat", "sat", "mat"]),
        ("Dog dog DOG", ["Dog"]),
        ("don't 'don't'", ["don't", "don't"]),
        ("unheard of", []),
        ("\u2003cat\u2003sat\n", ["cat", "sat"]),
        ("...", []),
        ("", []),
    ],
)
def test_whitespace(text: str, expected: list[str], tmp_path: Path) -> None:
    assert words(read_word_tokenizer(write_words(tmp_path)), text) == expected


def test_where_known_words_begin(tmp_path: Path) -> None:
    tokenizer = read_word_tokenizer(write_words(tmp_path))
    assert tokenizer.starts(" the cat  unheard\tmat.").tolist() == [5, 18]
    assert tokenizer.starts("").tolist() == []


def test_whitespace_that_lowers_first(tmp_path: Path) -> None:
    tokenizer = read_word_tokenizer(write_words(tmp_path, do_lower_case=True))
    assert words(tokenizer, "CAT Dog") == ["cat"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the cat in New York", ["cat", "New_York"]),
        ("an ICE cream van", ["ice_cream_van"]),
        ("York a b", ["york"]),
        ("cat, sat.", ["cat", "sat"]),
    ],
)
def test_phrases(text: str, expected: list[str], tmp_path: Path) -> None:
    pytest.importorskip("nltk")
    assert words(read_word_tokenizer(write_words(tmp_path, "Phrase")), text) == expected


def test_phrases_without_nltk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without_nltk(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "nltk":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_nltk)
    with pytest.raises(PackageMissingError, match=r"pip install 'edge-st\[phrases\]'"):
        read_word_tokenizer(write_words(tmp_path, "Phrase"))


def test_another_tokenizer(tmp_path: Path) -> None:
    write_words(tmp_path)
    write_json(tmp_path / "wordembedding_config.json", {"tokenizer_class": "TransformersTokenizerWrapper"})
    with pytest.raises(
        UnsupportedModelError, match="'TransformersTokenizerWrapper'; expected one of WhitespaceTokenizer"
    ):
        read_word_tokenizer(tmp_path)


def test_limits_counts_and_pairs(tmp_path: Path) -> None:
    tokenizer = read_word_tokenizer(write_words(tmp_path))
    tokens = tokenizer(["cat sat mat", "cat"], None)
    assert [ids.tolist() for ids in tokens.ids] == [[1, 3, 4], [1]]
    assert tokens.counts.tolist() == [3, 1]
    with pytest.raises(InputError, match="text 1 is a pair"):
        tokenizer(["cat", ("cat", "sat")], None)
    tokenizer.check_limit(None)
    with pytest.raises(OptionError, match="word vectors take texts of any length"):
        tokenizer.check_limit(8)
