"""Word vectors and bags of words against naive loops over a text's words."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.errors import DamagedFileError, EdgeSTError, InputError, OptionError, UnsupportedModelError
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.model.loading import load_model
from edge_st_runtime.model.words import WordTokenizer, open_bag, open_words, read_word_tokenizer
from tests.support.tiny_models import write_json, write_safetensors

VOCABULARY = ["PADDING_TOKEN", "cat", "Dog", "sat", "mat", "New_York", "york", "don't", "ice_cream_van", "a__b"]
STOP_WORDS = ["the", "on"]
ROWS = np.random.default_rng(2).standard_normal((len(VOCABULARY), 5)).astype(np.float32)


def write_words(folder: Path, kind: str = "Whitespace", **changes: Any) -> Path:
    name = f"{kind}Tokenizer"
    write_json(folder / "wordembedding_config.json", {"tokenizer_class": f"somewhere.{name}", "max_seq_length": 9})
    config = {"vocab": VOCABULARY, "stop_words": STOP_WORDS, "do_lower_case": False}
    more = {"ngram_separator": "_", "max_ngram_length": 5} if kind == "Phrase" else {}
    write_json(folder / f"{name.lower()}_config.json", {**config, **more, **changes})
    write_safetensors(folder / "model.safetensors", {"emb_layer.weight": ROWS})
    return folder


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
    assert words(read_word_tokenizer("WordEmbeddings", write_words(tmp_path)), text) == expected


def test_where_known_words_begin(tmp_path: Path) -> None:
    tokenizer = read_word_tokenizer("WordEmbeddings", write_words(tmp_path))
    assert tokenizer.starts(" the cat  unheard\tmat.").tolist() == [5, 18]
    assert tokenizer.starts("").tolist() == []


def test_whitespace_that_lowers_first(tmp_path: Path) -> None:
    tokenizer = read_word_tokenizer("WordEmbeddings", write_words(tmp_path, do_lower_case=True))
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
    assert words(read_word_tokenizer("WordEmbeddings", write_words(tmp_path, "Phrase")), text) == expected


def test_phrases_without_nltk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without_nltk(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "nltk":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_nltk)
    with pytest.raises(EdgeSTError, match=r"pip install 'edge-st\[phrases\]'"):
        read_word_tokenizer("WordEmbeddings", write_words(tmp_path, "Phrase"))


def test_another_tokenizer(tmp_path: Path) -> None:
    write_words(tmp_path)
    write_json(tmp_path / "wordembedding_config.json", {"tokenizer_class": "TransformersTokenizerWrapper"})
    with pytest.raises(
        UnsupportedModelError, match="'TransformersTokenizerWrapper'; expected one of WhitespaceTokenizer"
    ):
        read_word_tokenizer("WordEmbeddings", tmp_path)


def test_limits_counts_and_pairs(tmp_path: Path) -> None:
    tokenizer = read_word_tokenizer("WordEmbeddings", write_words(tmp_path))
    tokens = tokenizer(["cat sat mat", "cat"], None)
    assert [ids.tolist() for ids in tokens.ids] == [[1, 3, 4], [1]]
    assert tokens.counts.tolist() == [3, 1]
    with pytest.raises(InputError, match="text 1 is a pair"):
        tokenizer(["cat", ("cat", "sat")], None)
    tokenizer.check_limit(None)
    with pytest.raises(OptionError, match="word vectors take texts of any length"):
        tokenizer.check_limit(8)


def test_the_table_gives_rows(tmp_path: Path) -> None:
    ids = np.array([[1, 3], [4, 0]])
    np.testing.assert_array_equal(open_words(write_words(tmp_path)).run(TokenBatch(ids, ids)), ROWS[ids])


@pytest.mark.parametrize("cumulative", [True, False])
def test_bag_of_words(cumulative: bool, tmp_path: Path) -> None:
    vocabulary = ["cat", "sat", "cat", "Mat"]  # a word that comes twice is one
    config = {"vocab": vocabulary, "word_weights": {"cat": 0.5, "mat": 3}, "unknown_word_weight": 2}
    write_json(tmp_path / "config.json", config | {"cumulative_term_frequency": cumulative})
    tokens = read_word_tokenizer("BoW", tmp_path)(["cat cat sat Mat", "sat"], None)
    assert [ids.tolist() for ids in tokens.ids] == [[0, 0, 1, 2], [1]]
    ids, mask = np.array([[0, 0, 1, 2], [1, 0, 0, 0]]), np.array([[1, 1, 1, 1], [1, 0, 0, 0]])
    expected = [[1.0 if cumulative else 0.5, 2, 3], [0, 2, 0]]
    np.testing.assert_allclose(open_bag(tmp_path).run(TokenBatch(ids, mask)), expected)


def test_a_vocabulary_larger_than_the_table(tmp_path: Path) -> None:
    entries = [("", "WordEmbeddings"), ("1", "Pooling")]
    write_json(
        tmp_path / "modules.json",
        [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in entries],
    )
    write_json(tmp_path / "1" / "config.json", {"pooling_mode": "mean"})
    write_words(tmp_path, vocab=[*VOCABULARY, "one more"])
    with pytest.raises(DamagedFileError, match="knows 11 tokens, the model has embeddings for 10"):
        load_model(tmp_path, LoadOptions())


def test_another_weight(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"weight": ROWS})
    with pytest.raises(DamagedFileError, match=r"holds weight; expected emb_layer\.weight"):
        open_words(tmp_path)
