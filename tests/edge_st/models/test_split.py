"""Long texts in pieces: each fits, nothing is lost, cuts are where they should be."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from itertools import pairwise
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from edge_st import SentenceTransformer, SparseEncoder
from edge_st_runtime.errors import InputError, InputTypeError, OptionError
from edge_st_runtime.text.splitting import Chunk, Splitter
from edge_st_runtime.text.word_tokenizer import read_word_tokenizer
from tests.support.tiny_models import LIMIT, TinyModel, write_json
from tests.support.tiny_tokenizers import NASTY, WORDS, byte_bpe, clip_bpe, unigram, wordpiece

Make = Callable[[], Tokenizer]
FAMILY = "👨‍👩‍👧"
_random = random.Random(5)


def counts_of(model: SentenceTransformer | SparseEncoder, texts: list[str]) -> list[int]:
    """Tokens of each text, special ones included."""
    return [int(model.count_tokens(text)) for text in texts]


def words(count: int) -> str:
    """Words that white space alone separates."""
    return " ".join(_random.choices([word for word in WORDS if word != "日本語"], k=count))


def sentences(count: int, length: int = 6) -> str:
    return " ".join(f"{words(length)}." for _ in range(count))


LONG = {
    "words": words(300),
    "sentences": sentences(60),
    "paragraphs": "\n\n".join(sentences(3) for _ in range(20)),
    "no spaces": "x" * 3000,
    "japanese": "今日は天気がいいです。日本語のテキスト、" * 40,
    "emoji": f"{FAMILY}👍🏽" * 100,
    "right to left": "مرحبا بالعالم. " * 100,
    "control": "a\x00b \x07c " * 200,
    "marks": "é́" * 400,
    "wide gaps": f"  \n{words(50)}{' ' * 5000}\t{words(50)}\n\n",
    "everything": " ".join(NASTY) * 20,
}


def check(model: SentenceTransformer, text: str, most: int, pieces: list[Chunk]) -> None:
    """Every piece fits, stands where it says and goes beyond the one before; together they hold all but white space."""
    assert all(piece.text == text[piece.start : piece.end] == piece.text.strip() != "" for piece in pieces)
    assert all(before.end < after.end and before.start < after.start for before, after in pairwise(pieces))
    held = bytearray(len(text))
    for piece in pieces:
        held[piece.start : piece.end] = b"\x01" * len(piece.text)
    assert not "".join(char for char, is_held in zip(text, held, strict=True) if not is_held).strip()
    if pieces:
        prompts = [model.prompts["document"] + piece.text for piece in pieces]
        assert max(counts_of(model, prompts)) <= most


@pytest.fixture(scope="module")
def bundled() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture(scope="module", params=[wordpiece, byte_bpe, clip_bpe, unigram], ids=lambda make: make.__name__)
def limited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    """A model of 24 tokens, with each kind of tokenizer, whose documents have a prompt."""
    settings = {"prompts": {"query": "", "document": "the old: "}}
    tiny = TinyModel(make_tokenizer=request.param, settings=settings)
    return SentenceTransformer(tiny.save(tmp_path_factory.mktemp("models") / "limited"), backend="onnx")


@pytest.mark.parametrize("overlap", [0, 5])
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_every_piece_fits_and_nothing_is_lost(limited: SentenceTransformer, text: str, overlap: int) -> None:
    check(limited, text, LIMIT, limited.split(text, overlap=overlap))


def test_texts_of_all_that_is_nasty(limited: SentenceTransformer) -> None:
    source = random.Random(11)
    atoms = [
        *WORDS,
        *NASTY,
        FAMILY,
        *"。、「」!\n\t\u3000\x1c\x85\u2028\u200bค",
        '?" ',
        "\n\n",
        " " * 200,
        "हि",
        "ﬃ",
        "…",
    ]
    for _ in range(150):
        text = "".join(source.choice(atoms) + source.choice(["", " ", "  "]) for _ in range(source.randint(1, 80)))
        most = source.randint(18, LIMIT)
        check(limited, text, most, limited.split(text, most, source.randint(0, 7)))


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_model_without_a_limit(bundled: SentenceTransformer, text: str) -> None:
    check(bundled, text, 256, bundled.split(text))
    check(bundled, text, 10, bundled.split(text, max_tokens=10, overlap=3))


def test_a_text_that_fits_is_one_piece_and_a_blank_one_none(limited: SentenceTransformer) -> None:
    assert limited.split(" a fox \n") == [Chunk(1, 6, "a fox")]
    assert [limited.split(text) for text in ("", " \t\n", "\u3000" * 10_000)] == [[], [], []]


def test_several_texts_are_what_each_is_alone(limited: SentenceTransformer) -> None:
    texts = [*LONG.values(), "short", ""]
    assert limited.split(texts, overlap=3) == [limited.split(text, overlap=3) for text in texts]
    assert limited.split([]) == []


def test_pieces_are_as_full_as_words_allow_but_for_a_token(limited: SentenceTransformer) -> None:
    text = words(300)
    pieces = limited.split(text)
    prompt = limited.prompts["document"]
    for piece, following in pairwise(pieces):
        longer = text[piece.start : following.start] + following.text.split()[0]
        assert limited.count_tokens(prompt + longer) >= LIMIT - 1


def test_words_are_whole(limited: SentenceTransformer, bundled: SentenceTransformer) -> None:
    text = "\n".join(words(7) for _ in range(100))
    for pieces in (limited.split(text), bundled.split(text, max_tokens=20, overlap=4)):
        assert {word for piece in pieces for word in piece.text.split()} == set(text.split())
    assert [word for piece in limited.split(text) for word in piece.text.split()] == text.split()


def test_a_cut_is_after_a_sentence_or_a_paragraph_that_ends_in_time(bundled: SentenceTransformer) -> None:
    numbered = [f"Sentence {number} has exactly seven words inside." for number in range(100)]
    pieces = bundled.split(" ".join(numbered), max_tokens=64)
    assert len(pieces) > 5
    assert all(piece.text.endswith("inside.") for piece in pieces)
    text = "\n\n".join(" ".join(numbered[at : at + 5]) for at in range(0, 100, 5))
    assert [piece.text for piece in bundled.split(text, max_tokens=56)] == text.split("\n\n")
    japanese = bundled.split("今日は天気がいいです。" * 60, max_tokens=50)
    assert len(japanese) > 5
    assert all(piece.text.endswith("。") for piece in japanese)


def test_neighbours_share_the_overlap(bundled: SentenceTransformer) -> None:
    text = words(500)
    pieces = bundled.split(text, max_tokens=60, overlap=15)
    shared = [text[after.start : before.end] for before, after in pairwise(pieces)]
    assert all(after.text.startswith(both) for both, after in zip(shared, pieces[1:], strict=True))
    counts = counts_of(bundled, shared)
    assert 9 <= min(counts) <= max(counts) <= 15


@pytest.mark.parametrize(
    "text",
    [
        " ".join(["fox"] * 3 + ["unbelievably-re-read-café-don't"] * 3),
        "ﬃ  مرحباor\n\nseven " * 9,
        "日本語 boats\t。naïve" * 9,
    ],
)
def test_an_overlap_never_brings_a_piece_back_to_the_beginning_of_the_one_before(
    limited: SentenceTransformer, text: str
) -> None:
    for overlap in range(1, 12):
        check(limited, text, LIMIT, limited.split(text, overlap=overlap))


def test_what_is_one_character_to_the_eye_is_not_cut(bundled: SentenceTransformer, tmp_path: Path) -> None:
    model = SentenceTransformer(TinyModel(make_tokenizer=byte_bpe, limit=40).save(tmp_path), backend="onnx")
    pieces = model.split(FAMILY * 50)
    assert len(pieces) > 5
    assert {piece.text.replace(FAMILY, "") for piece in pieces} == {""}


def test_time_grows_with_the_text(bundled: SentenceTransformer) -> None:
    text = sentences(5000, 12)
    start = time.process_time()
    short = bundled.split(text[: len(text) // 8], overlap=20)
    middle = time.process_time()
    pieces = bundled.split(text, overlap=20)
    end = time.process_time()
    assert len(pieces) == pytest.approx(8 * len(short), rel=0.1)
    assert end - middle < 24 * (middle - start)


def test_a_word_of_a_hundred_thousand_letters(limited: SentenceTransformer) -> None:
    for text in ("x" * 100_000, "😀" * 10_000):
        check(limited, text, LIMIT, limited.split(text))


@pytest.mark.parametrize("overlap", [0, 5])
@pytest.mark.parametrize("stretch", ["x", "\u200d", "\u0301", " ", "x" * 20_000 + " "], ids=ascii)
def test_a_stretch_of_few_tokens_is_cut_at_a_number_of_characters(
    bundled: SentenceTransformer, stretch: str, overlap: int
) -> None:
    text = f"{words(500)} {stretch * (400_000 // len(stretch))} {words(500)}"
    pieces = bundled.split(text, overlap=overlap)
    check(bundled, text, 256, pieces)
    assert max(len(piece.text) for piece in pieces) <= 2**16
    assert len(pieces) < 20


def test_sparse_encoders_split_too(sparse_folder: Path) -> None:
    model = SparseEncoder(sparse_folder, backend="onnx")
    pieces = model.split(words(200))
    assert len(pieces) > 2
    assert max(counts_of(model, [piece.text for piece in pieces])) <= (model.max_seq_length or 0)


def test_a_piece_does_not_change(bundled: SentenceTransformer) -> None:
    (piece,) = bundled.split("a text")
    with pytest.raises(FrozenInstanceError):
        piece.text = "another"


def test_word_vectors_count_the_words_of_their_vocabulary(tmp_path: Path) -> None:
    config = {"vocab": ["PADDING_TOKEN", *WORDS], "stop_words": ["of"], "do_lower_case": False}
    write_json(tmp_path / "whitespacetokenizer_config.json", config)
    write_json(tmp_path / "wordembedding_config.json", {"tokenizer_class": "x.WhitespaceTokenizer"})
    tokenizer = read_word_tokenizer(tmp_path)
    (pieces,) = Splitter(tokenizer, None, 10, 2).split(["the old unheard library of the fox. " * 30])
    assert len(pieces) > 10
    assert all(piece.text.endswith("fox.") for piece in pieces)
    assert max(len(ids) for ids in tokenizer([piece.text for piece in pieces], None).ids) <= 10


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_tokens": 0}, "max_tokens must be a positive integer"),
        ({"max_tokens": "9"}, "max_tokens must be a positive integer"),
        ({"max_tokens": 25}, "max_tokens is 25, the model cuts texts to 24"),
        ({"max_tokens": 3}, r"max_tokens is 3; expected more than the \d+ tokens"),
        ({"overlap": -1}, "overlap is -1"),
        ({"overlap": 1.5}, "overlap is 1.5"),
        ({"overlap": 24}, r"overlap is 24; expected less than the \d+ tokens"),
    ],
)
def test_sizes_that_cannot_be(limited: SentenceTransformer, given: dict[str, int], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        limited.split("a text", **given)


def test_a_character_of_too_many_tokens_is_named(tmp_path: Path) -> None:
    model = SentenceTransformer(TinyModel(make_tokenizer=byte_bpe).save(tmp_path), backend="onnx")
    with pytest.raises(OptionError, match=re.escape("because the single character '𝔘' has more tokens")):
        model.split("𝔘" * 10, max_tokens=3)


def test_what_is_no_text(bundled: SentenceTransformer) -> None:
    with pytest.raises(InputTypeError, match=r"text\[1\] is int"):
        bundled.split(["a", 3])
    with pytest.raises(InputTypeError, match="text is None; expected a str or a list of str"):
        bundled.split(None)
    with pytest.raises(InputError, match="lone surrogate"):
        bundled.split("a \ud800")
