"""Texts → batches → results through a backend without an engine."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.model.pipeline import Pipeline
from edge_st_runtime.modules.specs import Module, Pooling
from edge_st_runtime.text import windows
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.fake_backend import FakeBackend
from tests.support.tiny_tokenizers import random_texts, save_tokenizer, wordpiece

TEXTS = [*random_texts(400), "fox " * 2000]


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def build(backend: FakeBackend, *modules: Module, **config: Any) -> Pipeline:
        tokenizer = TextTokenizer(save_tokenizer(tmp_path, wordpiece(), pad_token="[PAD]", **config))
        return Pipeline(tokenizer, backend, modules)

    return build


def ids_by_row(pipeline: Pipeline, texts: list[Any], **options: Any) -> dict[int, list[int]]:
    """The token ids of each text that the backend was given, without padding."""

    def own_ids(features: Any) -> list[list[int]]:
        rows = zip(features["token_embeddings"][..., 0], features["attention_mask"], strict=True)
        return [ids[mask == 1].astype(int).tolist() for ids, mask in rows]

    settings: dict[str, Any] = {"limit": None, "batch_size": 32, **options}
    found: dict[int, list[int]] = {}
    for rows, ids in pipeline.run(texts, own_ids, **settings):
        assert not found.keys() & set(rows.tolist())
        found.update(zip(rows.tolist(), ids, strict=True))
    return found


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("side", ["left", "right"])
def test_every_text_once_with_its_own_tokens(workers: int, side: str, make: Any) -> None:
    found = ids_by_row(make(FakeBackend(concurrency=workers), padding_side=side), TEXTS)
    assert found == {row: encoding.ids for row, encoding in enumerate(wordpiece().encode_batch(TEXTS))}


@pytest.mark.parametrize(("meaning", "first"), [("token_embeddings", 1), ("sentence_embedding", 0)])
def test_texts_begin_the_row_unless_the_graph_pools(meaning: str, first: int, make: Any) -> None:
    backend = FakeBackend(meaning=meaning)
    pipeline = make(backend, padding_side="left")
    list(pipeline.run(["fox", "the quick fox"], len, limit=None, batch_size=2))
    assert backend.batches[0].attention_mask[1, 0] == first
    assert pipeline.tokenize(["fox", "the quick fox"], None)["attention_mask"][0, 0] == 0


def test_batches_keep_to_the_budget_and_batch_size(make: Any) -> None:
    backend = FakeBackend()
    ids_by_row(make(backend), TEXTS, batch_size=8)
    shapes = [batch.shape for batch in backend.batches]
    assert all(rows <= 8 and (rows == 1 or rows * columns <= backend.token_budget) for rows, columns in shapes)
    assert shapes[0] == (1, 2002)
    assert sum(rows for rows, _ in shapes) == len(TEXTS)


def test_only_a_single_batch_is_alone_and_runs_on_the_callers_thread(make: Any) -> None:
    backend = FakeBackend(concurrency=2)
    ids_by_row(make(backend), TEXTS[:1])
    ids_by_row(make(backend), TEXTS)
    assert [batch.alone for batch in backend.batches] == [True] + [False] * (len(backend.batches) - 1)
    assert backend.threads[0] == threading.get_ident()
    assert threading.get_ident() not in backend.threads[1:]


def test_the_last_batch_of_several_windows_is_not_alone(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_WINDOW_TEXTS", 1)
    backend = FakeBackend()
    ids_by_row(make(backend), TEXTS[:3])
    assert [batch.alone for batch in backend.batches] == [False] * 3


def test_limit_prompt_length_and_modules(make: Any) -> None:
    pipeline = make(FakeBackend(), Pooling(("cls",), include_prompt=False))
    ((rows, vectors),) = pipeline.run(
        ["the quick fox"],
        lambda features: features["sentence_embedding"],
        limit=4,
        batch_size=32,
        extra={"prompt_length": 2},
    )
    ids = wordpiece().encode("the quick fox").ids
    assert rows.tolist() == [0]
    assert vectors.tolist() == [[ids[2], 2]]


def test_pairs_carry_their_types(make: Any) -> None:
    backend = FakeBackend()
    ids_by_row(make(backend), [("fox", "lazy dog"), "fox"])
    (batch,) = backend.batches
    assert batch.token_type_ids is not None
    expected = wordpiece().encode("fox", "lazy dog").type_ids
    np.testing.assert_array_equal(batch.token_type_ids, [expected, [0] * len(expected)])


def test_inspect_sees_every_window_before_it_runs(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_WINDOW_TEXTS", 150)
    backend, seen = FakeBackend(), []

    def inspect(rows: Any, tokens: Any) -> None:
        seen.append((rows.tolist(), len(tokens.ids), sum(batch.shape[0] for batch in backend.batches)))

    found = ids_by_row(make(backend), TEXTS, inspect=inspect)
    assert sorted(found) == list(range(len(TEXTS)))
    assert seen == [
        (list(range(150)), 150, 0),
        (list(range(150, 300)), 150, 150),
        (list(range(300, 401)), 101, 300),
    ]


def test_nothing_runs_for_no_texts(make: Any) -> None:
    backend = FakeBackend()
    assert ids_by_row(make(backend), []) == {}
    assert backend.batches == []
