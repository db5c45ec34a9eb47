"""Every pooling mode against its definition for one text without padding."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st_runtime.modules.pooling import POOLING
from edge_st_runtime.modules.specs import Pooling

Tokens = NDArray[np.float32]
HIDDEN = 5
EXPECTED: dict[str, Callable[[Tokens], Tokens]] = {
    "cls": lambda tokens: tokens[0],
    "max": lambda tokens: tokens.max(axis=0),
    "mean": lambda tokens: tokens.mean(axis=0),
    "mean_sqrt_len_tokens": lambda tokens: tokens.sum(axis=0) / np.sqrt(len(tokens)),
    "weightedmean": lambda tokens: np.average(tokens, axis=0, weights=np.arange(1, len(tokens) + 1)),
    "lasttoken": lambda tokens: tokens[-1],
}


def padded(texts: list[Tokens], side: str) -> tuple[Tokens, NDArray[np.int64]]:
    """Token embeddings and mask (texts, longest + 1, …), with large numbers where the padding is."""
    longest = max(map(len, texts)) + 1
    tokens = np.full((len(texts), longest, HIDDEN), 1e6, dtype=np.float32)
    mask = np.zeros((len(texts), longest), dtype=np.int64)
    for row, text in enumerate(texts):
        place = slice(longest - len(text), None) if side == "left" else slice(len(text))
        tokens[row, place], mask[row, place] = text, 1
    return tokens, mask


@pytest.fixture
def texts() -> list[Tokens]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal((length, HIDDEN)).astype(np.float32) - 3 for length in (7, 1, 4, 12)]


def test_every_mode_is_tested() -> None:
    assert set(EXPECTED) == set(POOLING)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("mode", EXPECTED)
def test_mode(mode: str, side: str, texts: list[Tokens]) -> None:
    tokens, mask = padded(texts, side)
    pooled = Pooling((mode,))({"token_embeddings": tokens, "attention_mask": mask})["sentence_embedding"]
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, [EXPECTED[mode](text) for text in texts], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", EXPECTED)
def test_padding_alone(mode: str, texts: list[Tokens]) -> None:
    tokens, mask = padded(texts, "right")
    mask[1] = 0
    pooled = Pooling((mode,))({"token_embeddings": tokens, "attention_mask": mask})["sentence_embedding"]
    expected = tokens[1, 0] if mode == "cls" else np.zeros(HIDDEN)
    np.testing.assert_array_equal(pooled[1], expected)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("mode", [mode for mode in EXPECTED if mode != "weightedmean"])
def test_prompt_is_left_out(mode: str, side: str, texts: list[Tokens]) -> None:
    long = [text for text in texts if len(text) > 2]
    tokens, mask = padded(long, side)
    features = {"token_embeddings": tokens, "attention_mask": mask, "prompt_length": 2}
    pooled = Pooling((mode,), include_prompt=False)(features)["sentence_embedding"]
    np.testing.assert_allclose(pooled, [EXPECTED[mode](text[2:]) for text in long], rtol=1e-5, atol=1e-6)
    with_prompt = Pooling((mode,))(features)["sentence_embedding"]
    np.testing.assert_allclose(with_prompt, [EXPECTED[mode](text) for text in long], rtol=1e-5, atol=1e-6)


def test_weightedmean_counts_the_prompt_it_leaves_out(texts: list[Tokens]) -> None:
    tokens, mask = padded(texts[:1], "right")
    features = {"token_embeddings": tokens, "attention_mask": mask, "prompt_length": 2}
    pooled = Pooling(("weightedmean",), include_prompt=False)(features)["sentence_embedding"]
    expected = np.average(texts[0][2:], axis=0, weights=np.arange(3, len(texts[0]) + 1))
    np.testing.assert_allclose(pooled[0], expected, rtol=1e-5)


def test_modes_are_concatenated_in_their_order(texts: list[Tokens]) -> None:
    tokens, mask = padded(texts, "right")
    pooled = Pooling(("max", "cls"))({"token_embeddings": tokens, "attention_mask": mask})["sentence_embedding"]
    expected = [np.concatenate((text.max(axis=0), text[0])) for text in texts]
    np.testing.assert_allclose(pooled, expected, rtol=1e-6)


def test_nothing_is_written_into_the_features(texts: list[Tokens]) -> None:
    tokens, mask = padded(texts, "right")
    for array in (tokens, mask):
        array.flags.writeable = False
    features = {"token_embeddings": tokens, "attention_mask": mask, "prompt_length": 1}
    Pooling(tuple(POOLING), include_prompt=False)(features)
    assert set(features) == {"token_embeddings", "attention_mask", "prompt_length"}
