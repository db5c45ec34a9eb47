"""Token pooling on vectors whose clusters are plain to see, alone and as a module."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError, InputError, InputTypeError, OptionError, UnsupportedModelError
from edge_st_runtime.modules.loaders import load_module
from edge_st_runtime.modules.token_pooling import (
    BaseTokenPooling,
    HierarchicalTokenPooling,
    LambdaTokenPooling,
    Vectors,
)
from edge_st_runtime.vectors.dense import normalize
from tests.support.tiny_models import write_json

X, Y, Z = np.eye(3, dtype="f4")
#: a first token, then two pairs of equal ones
TEXT = np.array([Z, X, X, Y, Y])
HALF = HierarchicalTokenPooling(2)


def two_first(embedding: Vectors) -> Vectors:
    return embedding[:2]


class Doubled(BaseTokenPooling):
    """A pooling as users write them, with a setting of its own."""

    def __init__(self, times: int, *, tasks: str | None = None) -> None:
        super().__init__(tasks=tasks)
        self.times = times

    def pool_one(self, embedding: Vectors) -> Vectors:
        return np.repeat(embedding, self.times, axis=0)


def lengths(found: list[Vectors]) -> list[int]:
    return [len(each) for each in found]


def test_pairs_become_their_means_after_the_protected_token() -> None:
    assert HALF.pool_one(TEXT).tolist() == np.array([Z, X, Y]).tolist()


def test_means_have_unit_length_where_that_is_asked() -> None:
    tilted = normalize(np.array([Z, [1, 0.2, 0], [1, -0.2, 0]], dtype="f4"))
    assert np.allclose(HALF.pool_one(tilted), [Z, X])
    short = HierarchicalTokenPooling(2, normalize_embeddings=False).pool_one(tilted)
    assert np.allclose(short, [Z, [1 / np.hypot(1, 0.2), 0, 0]])


@pytest.mark.parametrize(
    ("tokens", "factor", "protected", "expected"),
    [
        (9, 2, 1, 5),
        (9, 1.5, 0, 6),
        (9, 1, 1, 9),
        (9, 100, 1, 2),
        (9, 100, 0, 1),
        (9, 2, 20, 9),
        (2, 3, 1, 2),
        (1, 3, 1, 1),
        (0, 3, 1, 0),
    ],
)
def test_number_of_vectors(tokens: int, factor: float, protected: int, expected: int) -> None:
    vectors = normalize(np.random.default_rng(0).normal(size=(tokens, 8)).astype("f4"))
    pooled = HierarchicalTokenPooling(factor, num_protected_tokens=protected).pool_one(vectors)
    assert pooled.shape == (expected, 8)
    assert np.allclose(np.linalg.norm(pooled, axis=1), 1)


def test_without_pooling_vectors_are_only_normalized() -> None:
    assert np.allclose(HierarchicalTokenPooling().pool_one(3 * TEXT), TEXT)
    assert HierarchicalTokenPooling(normalize_embeddings=False).pool_one(3 * TEXT).tolist() == (3 * TEXT).tolist()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_the_type_of_the_vectors_stays(dtype: str) -> None:
    pooled = HALF.pool_one(TEXT.astype(dtype))
    assert pooled.dtype == dtype
    assert np.allclose(pooled, [Z, X, Y])


def test_a_list_gives_a_list() -> None:
    assert lengths(HALF.pool([TEXT, TEXT[:2], TEXT[:0]])) == [3, 2, 0]
    assert HALF.pool([]) == []


def test_texts_for_another_task_are_the_same_objects() -> None:
    texts = [TEXT]
    assert HALF.pool(texts, task="query") is texts
    assert lengths(HALF.pool(texts, task="document")) == [3]
    assert lengths(HierarchicalTokenPooling(2, tasks=["query"]).pool(texts, task="query")) == [3]


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [(None, (False, True, True)), ("query", (True, False, False)), (["query", "document"], (True, True, True))],
)
def test_applies_to(tasks: Any, expected: tuple[bool, ...]) -> None:
    pooling = HierarchicalTokenPooling(tasks=tasks)
    assert tuple(pooling.applies_to(task) for task in ("query", "document", None)) == expected


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_padded_array_is_cut_and_padded_on_its_side(side: Any) -> None:
    padded, expected = np.zeros((2, 6, 3), dtype="f4"), np.zeros((2, 3, 3), dtype="f4")
    rows = (slice(5), slice(2)) if side == "right" else (slice(1, 6), slice(4, 6))
    padded[0, rows[0]], padded[1, rows[1]] = TEXT, TEXT[:2]
    expected[0] = [Z, X, Y]
    expected[1, slice(2) if side == "right" else slice(1, 3)] = [Z, X]
    assert HALF.pool(padded, padding_side=side).tolist() == expected.tolist()


def test_zeros_between_tokens_are_tokens() -> None:
    padded = np.array([[Z, 0 * X, X, 0 * X]])
    assert LambdaTokenPooling(np.copy).pool(padded).tolist() == padded[:, :3].tolist()


def test_a_mask_says_which_are_tokens() -> None:
    mask = np.array([[1, 1, 0, 1, 0]])
    pooled = LambdaTokenPooling(np.copy).pool(TEXT[None], attention_mask=mask)
    assert pooled.tolist() == np.array([[Z, X, Y]]).tolist()
    with pytest.raises(InputError, match=r"shape \(1, 4\); expected \(1, 5\)"):
        HALF.pool(TEXT[None], attention_mask=mask[:, :4])


def test_an_array_of_no_texts_and_texts_of_no_tokens() -> None:
    assert HALF.pool(np.zeros((0, 4, 3), dtype="f4")).shape == (0, 0, 3)
    assert HALF.pool(np.zeros((2, 4, 3), dtype="f4")).shape == (2, 0, 3)


@pytest.mark.parametrize(
    ("embeddings", "error", "message"),
    [
        (TEXT, InputError, r"must be 3D; got shape \(5, 3\)"),
        ([TEXT[0]], InputError, r"embeddings\[0\] must be 2D; got shape \(3,\)"),
        ([TEXT, TEXT[None]], InputError, r"embeddings\[1\] must be 2D; got shape \(1, 5, 3\)"),
        ((TEXT,), InputTypeError, "must be a list of 2D arrays or a 3D padded array; got tuple"),
        ([TEXT.astype("i1")], InputTypeError, "holds int8; expected floats"),
        ([np.full_like(TEXT, np.nan)], InputError, "NaN or infinite"),
    ],
)
def test_what_cannot_be_pooled(embeddings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        HALF.pool(embeddings)


def test_an_unknown_side() -> None:
    with pytest.raises(OptionError, match="padding_side must be 'left' or 'right', got 'top'"):
        HALF.pool(TEXT[None], padding_side="top")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pool_factor": 0.5}, "pool_factor must be >= 1, got 0.5"),
        ({"pool_factor": "2"}, "pool_factor is '2'; expected a number"),
        ({"num_protected_tokens": -1}, "num_protected_tokens must be >= 0, got -1"),
        ({"num_protected_tokens": 0.5}, "num_protected_tokens must be >= 0, got 0.5"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        HierarchicalTokenPooling(**settings)


def features(**more: Any) -> dict[str, Any]:
    tokens = np.stack([TEXT, np.array([X, Z, Y, X, X])])
    return {"token_embeddings": tokens, "attention_mask": np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1]]), **more}


def test_as_a_module_it_pools_what_the_mask_keeps() -> None:
    given = features(task="document", other=1)
    found = HALF(given)
    assert found["token_embeddings"].tolist() == np.array([[Z, X, Y], [Z, X, 0 * X]]).tolist()
    assert found["attention_mask"].tolist() == [[True, True, True], [True, True, False]]
    assert found["other"] == 1
    assert given["token_embeddings"].shape == (2, 5, 3)


def test_as_a_module_it_leaves_other_tasks_and_empty_batches() -> None:
    given = features(task="query")
    assert HALF(given) is given
    empty = {"token_embeddings": TEXT[None][:0], "attention_mask": np.ones((0, 5))}
    assert HALF(empty) is empty


def test_as_a_module_that_pools_nothing_it_normalizes() -> None:
    given = features()
    given["token_embeddings"] = 2 * given["token_embeddings"]
    found = HierarchicalTokenPooling()(given)
    assert found["token_embeddings"].tolist() == features()["token_embeddings"].tolist()
    assert found["attention_mask"] is given["attention_mask"]
    assert HierarchicalTokenPooling(normalize_embeddings=False)(given) is given
    queries = {**given, "task": "query"}
    assert HierarchicalTokenPooling()(queries) is queries


def test_a_model_without_token_vectors() -> None:
    assert HALF.widths({"token_embeddings": 3}) == {"token_embeddings": 3}
    with pytest.raises(UnsupportedModelError, match="token_embeddings"):
        HALF.widths({"sentence_embedding": 3})


def test_a_function_of_your_own() -> None:
    assert lengths(LambdaTokenPooling(two_first).pool([TEXT, TEXT[:1]])) == [2, 1]
    with pytest.raises(InputError, match=r"the result of pool_fn must be 2D; got shape \(3,\)"):
        LambdaTokenPooling(lambda embedding: embedding.mean(axis=0)).pool([TEXT])


def test_a_class_of_your_own() -> None:
    assert lengths(Doubled(2).pool([TEXT])) == [10]
    assert lengths(Doubled(2, tasks="query").pool([TEXT])) == [5]


@pytest.mark.parametrize("pooling", [HierarchicalTokenPooling(3, tasks=["query"]), LambdaTokenPooling(two_first)])
def test_copies_by_pickle_pool_alike(pooling: BaseTokenPooling) -> None:
    copied = pickle.loads(pickle.dumps(pooling))
    assert copied.pool_one(TEXT).tolist() == pooling.pool_one(TEXT).tolist()
    assert copied.tasks == pooling.tasks


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, HierarchicalTokenPooling(normalize_embeddings=False)),
        ({"pool_factor": 2}, HierarchicalTokenPooling(2, normalize_embeddings=False)),
        (
            {"pool_factor": 1.5, "num_protected_tokens": 0, "normalize_embeddings": True, "tasks": ["query"]},
            HierarchicalTokenPooling(1.5, num_protected_tokens=0, tasks=["query"]),
        ),
    ],
)
def test_from_a_folder(config: dict[str, Any], expected: HierarchicalTokenPooling, tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", config)
    assert load_module("HierarchicalTokenPooling", tmp_path) == expected


def test_a_folder_with_a_wrong_setting(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"pool_factor": 0})
    with pytest.raises(DamagedFileError, match=r"config\.json: pool_factor must be >= 1, got 0"):
        load_module("HierarchicalTokenPooling", tmp_path)


def test_a_function_is_in_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="LambdaTokenPooling"):
        load_module("LambdaTokenPooling", tmp_path)
