"""BM25 against its formula, and against scores of another implementation."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError, FolderError, InputError, InputTypeError, OptionError
from edge_st_runtime.store.sparse.bm25 import BM25
from edge_st_runtime.store.sparse.inverted import InvertedIndex
from edge_st_runtime.store.sparse.words import unicode_words
from tests.support.damage import replace_columns, rewrite

TEXTS = [
    "The cat sat on the mat",
    "A dog and a cat",
    "",
    "Birds sing; the birds fly over the mat",
    "dog dog dog",
]
# bm25s 0.3.16, method="lucene", over the same words
PEER = {
    ("the cat", 1.5, 0.75): [0.7168673276901245, 0.3945774435997009, 0.0, 0.37858107686042786, 0.0],
    ("dog", 1.5, 0.75): [0.0, 0.3945774435997009, 0.0, 0.0, 0.6225555539131165],
    ("the birds the mat", 1.5, 0.75): [1.1478673219680786, 0.0, 0.0, 1.5981494188308716, 0.0],
    ("fish", 1.5, 0.75): [0.0, 0.0, 0.0, 0.0, 0.0],
    ("the dog", 0.9, 0.4): [0.568486213684082, 0.48368439078330994, 0.0, 0.5370973944664001, 0.6893454790115356],
}


def filled(texts: list[str] = TEXTS, **options: Any) -> BM25:
    index = BM25(**options)
    index.add(texts)
    return index


def formula(query: str, texts: list[str], k1: float = 1.5, b: float = 0.75) -> list[float]:
    split = [unicode_words(text) for text in texts]
    average = sum(map(len, split)) / len(split)

    def score(text: list[str], word: str) -> float:
        frequency, count = sum(word in other for other in split), text.count(word)
        rarity = math.log(1 + (len(split) - frequency + 0.5) / (frequency + 0.5))
        return rarity * count / (count + k1 * (1 - b + b * len(text) / average)) if count else 0.0

    return [sum(score(text, word) for word in unicode_words(query)) for text in split]


@pytest.mark.parametrize(("case", "expected"), PEER.items())
def test_as_bm25s(case: tuple[str, float, float], expected: list[float]) -> None:
    query, k1, b = case
    scores = filled(k1=k1, b=b).scores(query)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0, 0), (2, 1)])
@pytest.mark.parametrize("step", [9, 40])
def test_as_the_formula_however_the_texts_arrive(tmp_path: Path, step: int, k1: float, b: float) -> None:
    generator = np.random.default_rng(12)
    made = [" ".join(f"w{place}" for place in generator.zipf(1.5, generator.integers(30)) % 99) for _ in range(40)]
    BM25(k1=k1, b=b).save(tmp_path)
    index = BM25.open(tmp_path)
    for start in range(0, 40, step):
        index.add(made[start : start + step])
    for _ in range(2):
        for each in (index, BM25.open(tmp_path)):
            for query in ("w1", "w1 w1 w2 w98", "w7 unknown w3"):
                np.testing.assert_allclose(each.scores(query), formula(query, made, k1, b), rtol=1e-5)
        index.merge()
    index.verify()


def test_search() -> None:
    index = filled()
    for queries in (["the cat", "fish", ""], "dog"):
        scores, ids = index.search(queries, 3)
        expected = np.array([index.scores(query) for query in ([queries] if isinstance(queries, str) else queries)])
        np.testing.assert_array_equal(ids, np.argsort(-expected, axis=1, kind="stable")[:, :3])
        np.testing.assert_array_equal(scores, np.take_along_axis(expected, ids, axis=1))
        assert (scores.dtype, ids.dtype) == (np.float32, np.int64)
    assert [found.shape for found in index.search([], 3)] == [(0, 3)] * 2
    assert [found.shape for found in index.search("cat", 100)] == [(1, 5)] * 2
    assert index.search("mat mat", 2)[1].tolist() == [[0, 3]]


@pytest.mark.parametrize("texts", [[], [""], ["", "?!"]], ids=str)
def test_no_words(tmp_path: Path, texts: list[str]) -> None:
    index = filled(texts)
    index.save(tmp_path)
    for each in (index, BM25.open(tmp_path)):
        assert each.scores("cat").tolist() == [0.0] * len(texts)
        assert len(each) == len(texts)


@pytest.mark.parametrize("name", ["unicode", "letters"])
def test_the_name_of_the_tokenizer_is_saved(tmp_path: Path, name: str) -> None:
    texts = ["東京は日本の首都です", "हिन्दी भारत की राजभाषा है"]
    index = filled(texts, tokenizer=name)
    index.save(tmp_path)
    opened = BM25.open(tmp_path)
    opened.add(texts)
    for each in (opened, BM25.open(tmp_path, tokenizer=name)):
        for query in ("首都", "राजभाषा"):
            scores = filled(texts * 2, tokenizer=name).scores(query)
            np.testing.assert_array_equal(each.scores(query), scores)
    assert opened.scores("首都").any() == (name == "unicode")
    other = {"unicode": "letters", "letters": "unicode"}[name]
    with pytest.raises(OptionError, match=f"created with the tokenizer '{name}'; pass no other"):
        BM25.open(tmp_path, tokenizer=other)


def test_an_index_without_a_name_keeps_its_words(tmp_path: Path) -> None:
    texts = ["e\u0301te\u0301 日本語", "日本"]
    filled(texts, tokenizer="letters").save(tmp_path)
    rewrite(
        tmp_path / "postings.json", lambda found: found.update(settings={"k1": 1.5, "b": 0.75, "own_tokenizer": False})
    )
    opened = BM25.open(tmp_path)
    opened.add(["日本語"])
    assert np.flatnonzero(opened.scores("日本語")).tolist() == [0, 2]
    assert not opened.scores("été").any()


def test_a_tokenizer_of_ones_own(tmp_path: Path) -> None:
    index = filled(["a\nb c", "c"], tokenizer=lambda text: text.split(" "))
    assert np.count_nonzero(index.scores("a\nb")) == 1
    index.save(tmp_path)
    with pytest.raises(OptionError, match=r"not saved; pass it: BM25.open\(path, tokenizer=...\)"):
        BM25.open(tmp_path)
    opened = BM25.open(tmp_path, tokenizer=lambda text: text.split(" "))
    np.testing.assert_array_equal(opened.scores("a\nb c"), index.scores("a\nb c"))
    filled().save(tmp_path)
    with pytest.raises(OptionError, match="created with the tokenizer 'unicode'; pass no other"):
        BM25.open(tmp_path, tokenizer=str.split)


def test_a_failed_add_changes_nothing(tmp_path: Path) -> None:
    filled().save(tmp_path)
    index, other = BM25.open(tmp_path), BM25.open(tmp_path)
    other.add(["fish"])
    with pytest.raises(FolderError, match="open it again"):
        index.add(["one fish", "two fish"])
    for query in ("fish", "cat dog"):
        np.testing.assert_array_equal(index.scores(query), filled().scores(query))


def test_folders_of_another_kind(tmp_path: Path) -> None:
    InvertedIndex(3).save(tmp_path)
    with pytest.raises(FolderError, match=r"not written by BM25; open it with InvertedIndex\.open"):
        BM25.open(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"k1"', '"k2"', r"postings\.json: settings\.k1 is missing; expected a number from 0 to inf; build the index"),
        ('"k1": 1.5', '"k1": []', r"settings\.k1 is \[\]; expected a number"),
        ('"tokenizer', '"w', r"settings\.tokenizer is missing; expected null, or one of 'unicode', 'letters'"),
        ('"unicode"', '"w"', r"settings\.tokenizer is 'w'; expected one of None, 'unicode', 'letters'"),
    ],
)
def test_damaged_settings(tmp_path: Path, old: str, new: str, message: str) -> None:
    filled().save(tmp_path)
    rewrite(
        tmp_path / "postings.json",
        lambda found: found.update(settings=json.loads(json.dumps(found["settings"]).replace(old, new))),
    )
    with pytest.raises(DamagedFileError, match=message):
        BM25.open(tmp_path)


def test_segments_of_another_vocabulary(tmp_path: Path) -> None:
    filled().save(tmp_path)
    replace_columns(tmp_path / "postings.json", words=np.frombuffer(b'["cat"]', dtype=np.uint8))
    with pytest.raises(DamagedFileError, match="segments with different vocabularies"):
        BM25.open(tmp_path)


@pytest.mark.parametrize("options", [{"k1": -1}, {"k1": math.nan}, {"b": -0.1}, {"b": 1.1}], ids=str)
def test_wrong_options(options: dict[str, float]) -> None:
    ((name, value),) = options.items()
    with pytest.raises(OptionError, match=f"{name} is {value}; expected"):
        BM25(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("tokenizer", ["words", ["unicode"], 1], ids=str)
def test_a_wrong_tokenizer(tokenizer: Any) -> None:
    with pytest.raises(OptionError, match="expected 'unicode', 'letters', or a function"):
        BM25(tokenizer)


def test_wrong_input() -> None:
    index: Any = filled()
    with pytest.raises(InputTypeError, match=r"texts is str \('text'\); expected a list of str: \[text\]"):
        index.add("text")
    with pytest.raises(InputTypeError, match=r"texts\[1\] is int \(1\); expected a str"):
        index.add(["a", 1])
    with pytest.raises(InputTypeError, match="query is None; expected a str"):
        index.search([None])
    for unordered in ({"a", "b"}, frozenset("ab")):
        with pytest.raises(InputTypeError, match=r"texts is (frozen)?set .* which has no order"):
            index.add(unordered)
        with pytest.raises(InputTypeError, match=r"queries is (frozen)?set .* which has no order"):
            index.search(unordered)
    with pytest.raises(InputTypeError, match="queries is None; expected a str or a list of them"):
        index.search(None)
    with pytest.raises(InputError, match=r"texts\[1\] holds a lone surrogate; remove it"):
        index.add(["a", "\ud800"])
    with pytest.raises(InputError, match="query holds a lone surrogate"):
        index.search("\ud800")
    with pytest.raises(OptionError, match="top_k must be a positive integer, got 0"):
        index.search("cat", 0)
    with pytest.raises(InputTypeError, match=r"not str; expected list\[str\]"):
        BM25(tokenizer=lambda text: [len(text)]).add(["a"])  # type: ignore[list-item]
    assert len(index) == 5
