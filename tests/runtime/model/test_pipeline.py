"""Texts → batches → results through a backend without an engine."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.model import pipeline as pipeline_module
from edge_st_runtime.model.pipeline import Pipeline, parallel_map
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


@pytest.mark.parametrize("workers", [1, 3])
def test_parallel_map_keeps_order_and_takes_no_more_than_it_needs(workers: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    results = parallel_map(lambda item: item * 2, items(), workers)
    assert [next(results) for _ in range(5)] == [0, 2, 4, 6, 8]
    assert taken <= 5 + (0 if workers == 1 else pipeline_module._AHEAD * workers + 1)
    assert list(results) == [item * 2 for item in range(5, 100)]


def test_parallel_map_computes_at_once_but_with_one_worker_on_the_callers_thread() -> None:
    barrier = threading.Barrier(2, timeout=10)
    assert len(list(parallel_map(lambda _item: barrier.wait(), iter(range(4)), 2))) == 4
    assert list(parallel_map(lambda _item: threading.current_thread(), iter([1]), 1)) == [threading.current_thread()]


def test_parallel_map_raises_what_the_function_raises() -> None:
    def fail(item: int) -> int:
        if item == 3:
            raise KeyError(item)
        time.sleep(0.001)
        return item

    with pytest.raises(KeyError, match=r"3"):
        list(parallel_map(fail, iter(range(10)), 2))


def test_parallel_map_makes_items_while_workers_compute() -> None:
    made_while_computing = threading.Event()

    def items() -> Iterator[bool]:
        yield False
        yield True
        made_while_computing.set()
        yield False

    assert list(parallel_map(lambda waits: not waits or made_while_computing.wait(10), items(), 2)) == [True] * 3


@pytest.mark.parametrize("stop", ["close", "error in function", "error in items"])
def test_parallel_map_leaves_no_thread_and_drops_what_has_not_begun(stop: str) -> None:
    threads, begun = threading.active_count(), []

    def compute(item: int) -> int:
        begun.append(item)
        if item == 0 and stop == "error in function":
            raise KeyError(item)
        time.sleep(0.01)
        return item

    def items() -> Iterator[int]:
        yield from range(10)
        if stop == "error in items":
            raise KeyError
        yield from range(10, 100)

    results = parallel_map(compute, items(), 2)
    if stop == "close":
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined] # a generator
    else:
        with pytest.raises(KeyError):
            list(results)
    assert threading.active_count() == threads
    assert len(begun) < 10
