"""Requests that fail, leave, or are too many: the others get their values, and nothing is left of them."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.models.outputs import Embeddings
from edge_st.models.steps import Steps, steps_of
from edge_st.protocols.fields import OverloadedError, UnavailableError
from edge_st.server.scheduling.scheduler import _SMALL_SHARE, Scheduler
from edge_st_runtime.errors import EngineError, NotFiniteError
from tests.support.asking import Asked, ids_of, is_empty
from tests.support.broken import broken
from tests.support.gated import Gated, gated
from tests.support.tiny_models import TinyModel

Make = Callable[..., Scheduler]
Equals = Callable[[Any, list[str]], None]
Gate = tuple[Steps, Gated]


def test_texts_of_a_cancelled_request_are_not_computed(
    texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    steps, entry = gate
    scheduler = scheduler_of()
    first = Asked(scheduler, steps, texts[:1])
    entry.came(1)
    leaving, staying = Asked(scheduler, steps, texts[1:25]), Asked(scheduler, steps, texts[20:30])
    leaving.cancel()
    entry.open()
    equals(first.values(), texts[:1])
    equals(staying.values(), texts[20:30])
    assert sorted(entry.rows()) == sorted(ids_of(steps, texts[:1] + texts[20:30]))
    assert leaving.calls == 0
    assert is_empty(scheduler)


def test_who_leaves_while_his_text_is_computed_harms_nobody(
    texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    steps, entry = gate
    scheduler = scheduler_of()
    leaving = Asked(scheduler, steps, texts[:1])
    entry.came(1)
    leaving.cancel()
    leaving.cancel()  # once more does not matter
    same = Asked(scheduler, steps, texts[:1])
    entry.open()
    equals(same.values(), texts[:1])
    assert len(entry.rows()) == 1
    assert leaving.calls == 0
    assert is_empty(scheduler)


def test_cancelling_after_the_end_changes_nothing(
    texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    gate[1].open()
    asked = Asked(scheduler_of(), gate[0], texts[:5])
    asked.wait()
    asked.cancel()
    equals(asked.values(), texts[:5])


def test_a_text_that_is_not_finite_fails_its_own_request_alone(tmp_path: Path) -> None:
    model = SentenceTransformer(broken(TinyModel().save(tmp_path)), backend="onnx", dtype="float32")
    steps, entry = gated(steps_of(model, Embeddings()))
    scheduler = Scheduler(1, 10**6, 10**6)
    first = Asked(scheduler, steps, ["first"])
    entry.came(1)
    good = [Asked(scheduler, steps, [f"the dog {word}", word]) for word in ("sea", "old", "door")]
    bad = Asked(scheduler, steps, ["the dog sail", "the quick fox", "the dog brown", "the quick fox"])
    entry.open()
    error = bad.wait()
    assert isinstance(error, NotFiniteError)
    assert "inputs[1], 'the quick fox'" in str(error)
    for asked in (first, *good):
        texts = list(asked.job.texts)
        np.testing.assert_allclose(asked.values(), model.encode(texts), atol=1e-6)
    assert max(map(len, entry.batches)) > 3  # they were in one batch with it
    again = Asked(scheduler, steps, ["the quick fox"])
    assert isinstance(again.wait(), NotFiniteError)  # the cache does not hold it
    assert (bad.calls, again.calls) == (1, 1)
    assert is_empty(scheduler)
    scheduler.close()


def test_an_error_of_the_engine_fails_requests_and_the_scheduler_goes_on(
    texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    steps, entry = gate
    scheduler = scheduler_of(2)
    entry.broken = {ids_of(steps, [texts[7]])[0]}
    first = Asked(scheduler, steps, texts[50:52])
    large, small, other = (Asked(scheduler, steps, some) for some in (texts[:100], texts[5:8], texts[8:11]))
    entry.open()
    assert isinstance(large.wait(), EngineError)
    assert isinstance(small.wait(), EngineError)
    equals(other.values(), texts[8:11])
    equals(first.values(), texts[50:52])
    assert is_empty(scheduler)
    entry.broken = set()
    equals(Asked(scheduler, steps, texts[:100]).values(), texts[:100])
    assert (large.calls, small.calls) == (1, 1)


def test_what_a_failed_request_still_has_waiting_is_not_computed(
    texts: list[str], gate: Gate, scheduler_of: Make
) -> None:
    steps, entry = gate
    scheduler = scheduler_of()
    longest = max(ids_of(steps, texts), key=len)
    entry.broken = {longest}  # it is in the first batch
    entry.token_budget = 24  # type: ignore[attr-defined]
    asked = Asked(scheduler, steps, texts)
    entry.came(1)
    entry.open()
    assert isinstance(asked.wait(), EngineError)
    assert is_empty(scheduler)
    assert len(entry.rows()) < 20


def test_beyond_the_queue_requests_are_refused(texts: list[str], gate: Gate, scheduler_of: Make) -> None:
    steps, entry = gate
    sizes = [len(ids) for ids in ids_of(steps, texts)]
    scheduler = scheduler_of(queue_tokens=_SMALL_SHARE * sum(sizes[1:11]))
    first = Asked(scheduler, steps, texts[:1])
    entry.came(1)
    second = Asked(scheduler, steps, texts[1:11])  # exactly full
    full = sum(sizes[1:11])
    with pytest.raises(OverloadedError, match=rf"{full} tokens wait, of at most {full}") as info:
        Asked(scheduler, steps, texts[11:12])
    assert info.value.retry_after is not None
    assert 1 <= info.value.retry_after <= 60
    assert scheduler.waiting("tiny") == (10, full)  # nothing of it was left
    second.cancel()
    third = Asked(scheduler, steps, texts[11:14])
    entry.open()
    assert first.wait() is third.wait() is None
    assert is_empty(scheduler)


@pytest.mark.parametrize("count", [1, 300])
def test_a_request_that_finds_nothing_waiting_is_never_refused(
    count: int, texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    """However small the queue, and although something is computed."""
    steps, entry = gate
    scheduler = scheduler_of(queue_tokens=1)
    first = Asked(scheduler, steps, texts[:1])
    entry.came(1)
    asked = Asked(scheduler, steps, texts[-count:])
    entry.open()
    equals(asked.values(), texts[-count:])
    first.wait()


def test_large_requests_take_no_room_from_small_ones(texts: list[str], gate: Gate, scheduler_of: Make) -> None:
    steps, entry = gate
    scheduler = scheduler_of(queue_tokens=600)
    large = Asked(scheduler, steps, texts[:200])
    entry.came(1)
    with pytest.raises(OverloadedError):
        Asked(scheduler, steps, texts[100:])
    small = [Asked(scheduler, steps, [text]) for text in texts[200:203]]
    entry.open()
    assert all(each.wait() is None for each in [large, *small])


def test_the_time_after_which_to_ask_again_follows_the_rate(texts: list[str], gate: Gate, scheduler_of: Make) -> None:
    steps, entry = gate
    scheduler = scheduler_of(queue_tokens=1)
    scheduler._seconds_a_token = 0.1
    first = Asked(scheduler, steps, texts[:1])
    entry.came(1)
    second = Asked(scheduler, steps, texts[1:8])
    with pytest.raises(OverloadedError) as info:
        Asked(scheduler, steps, texts[8:9])
    tokens = scheduler.waiting("tiny")[1]
    assert info.value.retry_after == -(-tokens // 10)
    entry.open()
    first.wait()
    second.wait()


def test_closing_ends_the_threads_after_their_batches(
    texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    steps, entry = gate
    scheduler = scheduler_of(2)
    computing = Asked(scheduler, steps, texts[:1])
    entry.came(1)
    threads = list(scheduler._workers)
    assert len(threads) == 4
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    time.sleep(0.05)
    assert closing.is_alive()
    entry.open()
    closing.join(10)
    equals(computing.values(), texts[:1])
    assert not any(thread.is_alive() for thread in threads)
    scheduler.close()  # once more does not matter


def test_what_waits_at_the_end_is_told_so(texts: list[str], gate: Gate, scheduler_of: Make) -> None:
    steps, entry = gate
    scheduler = scheduler_of()
    computing = Asked(scheduler, steps, texts[:1])
    entry.came(1)
    waiting, same = Asked(scheduler, steps, texts[1:9]), Asked(scheduler, steps, texts[3:5])
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    while not scheduler._closed:
        time.sleep(0.001)
    entry.open()
    assert computing.wait() is None
    assert isinstance(waiting.wait(), UnavailableError)
    assert isinstance(same.wait(), UnavailableError)
    closing.join(10)
    assert (waiting.calls, same.calls) == (1, 1)
    assert is_empty(scheduler)
    with pytest.raises(UnavailableError, match="ask another one"):
        Asked(scheduler, steps, texts[:1])


def test_a_fault_in_what_is_told_of_does_not_end_a_thread(
    texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals, caplog: pytest.LogCaptureFixture
) -> None:
    def batched(*_: Any) -> None:
        raise ZeroDivisionError

    gate[1].open()
    scheduler = scheduler_of(batched=batched)
    for _ in range(3):
        equals(Asked(scheduler, gate[0], texts[:2]).values(), texts[:2])
    scheduler.close()
    assert "ZeroDivisionError" in caplog.text


def test_nothing_is_left_after_a_storm(texts: list[str], gate: Gate, scheduler_of: Make, expected: Any) -> None:
    """Requests of all sizes that share texts, fail, and leave at any moment."""
    steps, entry = gate
    entry._waits = lambda: time.sleep(0.001) is not None
    entry.broken = set(ids_of(steps, texts[:2]))
    scheduler, told = scheduler_of(2, 6000, 20_000), list[str]()

    def client(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(60):
            some = chance.choices(texts, k=chance.choice((1, 2, 3, 10, 100)))
            try:
                asked = Asked(scheduler, steps, some)
            except OverloadedError:
                told.append("refused")
                continue
            if chance.random() < 0.3:
                time.sleep(chance.random() * 0.004)
                asked.cancel()
                told.append("left")
            elif asked.wait() is not None:
                assert set(some) & set(texts[:2])
                told.append("failed")
            else:
                np.testing.assert_allclose(asked.values(), [expected[text] for text in some], atol=1e-6)
                told.append("answered")
            assert asked.calls <= 1

    failures: list[BaseException] = []

    def guarded(seed: int) -> None:
        try:
            client(seed)
        except BaseException as error:  # noqa: BLE001 - it is raised by the test
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(seed,)) for seed in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert not failures
    assert len(told) == 720
    assert {"left", "failed", "answered"} <= set(told)
    assert is_empty(scheduler)
