"""Model2Vec folders without modules.json, against the rules of model2vec 0.10's own ``encode``."""

import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st import CrossEncoder, SentenceTransformer
from edge_st_runtime.errors import DamagedFileError, TextTooLongError, UnsupportedModelError
from tests.support.tiny_models import write_json, write_safetensors
from tests.support.tiny_tokenizers import NASTY, byte_bpe, random_texts, save_tokenizer, unigram, wordpiece

TOKENIZERS = {"WordPiece": (wordpiece, "[UNK]"), "BPE": (byte_bpe, None), "Unigram": (unigram, "<unk>")}
TEXTS = ["", *NASTY, *random_texts(40), "quick 日本語 fox", "a fox " * 400, "the quick brown fox jumps " * 200]
generator = np.random.default_rng(5)
CONFIG: dict[str, Any] = {"model_type": "model2vec", "architectures": ["StaticModel"]}


def write(folder: Path, kind: str, config: dict[str, Any] | None) -> NDArray[np.float32]:
    """A folder; returns the vector that each token has."""
    tokenizer = TOKENIZERS[kind][0]()
    save_tokenizer(folder, tokenizer)
    rows, size = generator.integers(-127, 128, (30, 8), dtype=np.int8), tokenizer.get_vocab_size()
    mapping, weights = generator.integers(0, 30, size), generator.uniform(0.1, 2, size)
    write_safetensors(folder / "model.safetensors", {"embeddings": rows, "mapping": mapping, "weights": weights})
    (folder / "tokenizer_config.json").unlink()
    if config is not None:
        write_json(folder / "config.json", config)
    return (rows[mapping] * weights[:, None]).astype(np.float32)


def expected(kind: str, rows: NDArray[np.float32], limit: int | None) -> NDArray[np.float64]:
    """model2vec's ``encode`` of TEXTS, text by text."""
    make, unknown = TOKENIZERS[kind]
    tokenizer = make()
    if limit is not None:
        tokenizer.enable_truncation(limit)
    median = int(statistics.median(map(len, tokenizer.get_vocab())))
    found = np.zeros((len(TEXTS), rows.shape[1]))
    for place, text in enumerate(TEXTS):
        text = text if limit is None else text[: limit * median]
        own = tokenizer.encode(text, add_special_tokens=False).ids
        own = [token for token in own if unknown is None or token != tokenizer.token_to_id(unknown)]
        if own:
            found[place] = rows[own].astype(np.float64).mean(axis=0)
    return found


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize(
    ("config", "limit"),
    [
        (CONFIG, 512),
        (CONFIG | {"max_length": 20}, 20),
        (CONFIG | {"max_length": None}, None),
        ({"normalize": False}, 512),
        (None, 512),
    ],
    ids=["named", "a limit", "no limit", "no type", "no config.json"],
)
def test_as_model2vec(kind: str, config: dict[str, Any] | None, limit: int | None, tmp_path: Path) -> None:
    rows = write(tmp_path, kind, config)
    model = SentenceTransformer(tmp_path)
    assert model.max_seq_length == (np.inf if limit is None else limit)
    np.testing.assert_allclose(model.encode(TEXTS), expected(kind, rows, limit), rtol=1e-4, atol=1e-4)


def test_normalized_where_the_configuration_says_so(tmp_path: Path) -> None:
    rows = write(tmp_path, "WordPiece", CONFIG | {"normalize": True})
    wanted = expected("WordPiece", rows, 512)
    wanted /= np.maximum(np.linalg.norm(wanted, axis=1, keepdims=True), 1e-32)
    np.testing.assert_allclose(SentenceTransformer(tmp_path).encode(TEXTS), wanted, rtol=1e-4, atol=1e-5)


def test_a_limit_is_saved(tmp_path: Path) -> None:
    rows = write(tmp_path / "model", "WordPiece", CONFIG)
    model = SentenceTransformer(tmp_path / "model")
    model.max_seq_length = 5
    model.save_pretrained(tmp_path / "saved")
    again = SentenceTransformer(tmp_path / "saved")
    assert (again.max_seq_length, again.fingerprint) == (5, model.fingerprint)
    np.testing.assert_allclose(again.encode(TEXTS), expected("WordPiece", rows, 5), rtol=1e-4, atol=1e-4)


def test_a_text_that_loses_characters_is_too_long(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "WordPiece", CONFIG | {"max_length": 3})
    long = "quick" * 40
    model = SentenceTransformer(tmp_path, truncation="warn")
    model.encode(["a", long])
    assert "1 text(s) cut to 3 tokens: inputs 1" in caplog.text
    with pytest.raises(TextTooLongError, match=r"inputs\[1\]"):
        SentenceTransformer(tmp_path, truncation="error").encode(["a", long])


def test_pairs_and_token_counts(tmp_path: Path) -> None:
    rows = write(tmp_path, "WordPiece", CONFIG)
    tokens = wordpiece().encode("quick fox", add_special_tokens=False).ids
    model = SentenceTransformer(tmp_path)
    assert model.count_tokens("quick fox") == len(tokens)
    np.testing.assert_allclose(model.encode([("quick", "fox")]), [rows[tokens].mean(axis=0)], rtol=1e-4, atol=1e-4)


def test_no_other_class_opens_it(tmp_path: Path) -> None:
    write(tmp_path, "WordPiece", CONFIG)
    with pytest.raises(UnsupportedModelError, match=r"is a StaticModel without modules.json; a CrossEncoder needs"):
        CrossEncoder(tmp_path)


@pytest.mark.parametrize("limit", ["12", True, 7.5])
def test_a_wrong_limit(limit: Any, tmp_path: Path) -> None:
    write(tmp_path, "WordPiece", CONFIG | {"max_length": limit})
    with pytest.raises(DamagedFileError, match="max_length"):
        SentenceTransformer(tmp_path)
