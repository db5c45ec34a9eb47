"""Which texts are computed together, in which order, and that each is computed once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from edge_st.models.steps import Steps
from edge_st.server.scheduling.scheduler import SMALL, Scheduler
from tests.support.asking import Asked, ids_of, is_empty
from tests.support.gated import Gated

Make = Callable[..., Scheduler]
Equals = Callable[[Any, list[str]], None]
Gate = tuple[Steps, Gated]


@pytest.fixture
def bulk(texts: list[str], plain: Steps) -> list[str]:
    """Texts of a large request."""
    found = texts[100:]
    assert sum(map(len, ids_of(plain, found))) > SMALL
    return found


@pytest.mark.parametrize("threads", [1, 3])
def test_a_request_of_any_size_is_split_and_comes_together_in_order(
    threads: int, texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    gate[1].open()
    asked = Asked(scheduler_of(threads), gate[0], texts)
    equals(asked.values(), texts)
    assert len(gate[1].batches) > 5
    assert sorted(gate[1].rows()) == sorted(ids_of(gate[0], texts))
    assert asked.calls == 1


def test_batches_keep_to_the_budget_and_have_texts_of_similar_length(
    bulk: list[str], gate: Gate, scheduler_of: Make
) -> None:
    gate[1].open()
    Asked(scheduler_of(), gate[0], bulk).values()
    for batch in gate[1].batches:
        lengths = [len(row) for row in batch]
        assert len(batch) * max(lengths) <= 128
        assert max(lengths) - min(lengths) <= 16


def test_requests_that_wait_are_computed_together(
    texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    steps, entry = gate
    entry.token_budget = entry.least_tokens = 512  # type: ignore[attr-defined]
    scheduler = scheduler_of()
    alike = [text for text, ids in zip(texts, ids_of(steps, texts), strict=True) if 8 <= len(ids) <= 12][:9]
    first = Asked(scheduler, steps, alike[:1])
    entry.came(1)
    others = [Asked(scheduler, steps, [text]) for text in alike[1:]]
    entry.let(2)
    for asked, text in zip([first, *others], alike, strict=True):
        equals(asked.values(), [text])
    assert [len(batch) for batch in entry.batches] == [1, 8]


def test_many_requests_at_once(texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals) -> None:
    scheduler = scheduler_of(2)
    gate[1].open()

    def ask(number: int) -> None:
        some = np.random.default_rng(number).choice(texts, 1 + number * 7 % 40).tolist()
        equals(Asked(scheduler, gate[0], some).values(), some)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(200)))
    assert is_empty(scheduler)


def test_a_small_request_does_not_wait_for_a_large_one(
    texts: list[str], bulk: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    steps, entry = gate
    scheduler = scheduler_of()
    large = Asked(scheduler, steps, bulk)
    entry.came(1)
    small = Asked(scheduler, steps, texts[:1])
    entry.came(2)  # while the batch before it has not ended
    assert entry.threads[0].startswith("edge-st bulk")
    assert entry.threads[1].startswith("edge-st small")
    assert entry.batches[1] == ids_of(steps, texts[:1])
    assert scheduler.waiting("tiny")[0] == len(bulk) - len(entry.batches[0])
    entry.open()
    equals(small.values(), texts[:1])
    equals(large.values(), bulk)


def test_large_requests_go_on_beside_a_flood_of_small_ones(
    texts: list[str], bulk: list[str], gate: Gate, scheduler_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the thread for large ones never comes to run, as where others of higher priority take all cores."""
    monkeypatch.setattr("edge_st.server.scheduling.scheduler._PATIENCE", 0.05)
    steps, entry = gate
    entry._waits = lambda: "bulk" in threading.current_thread().name
    entry.token_budget = 300  # type: ignore[attr-defined]
    scheduler = scheduler_of()
    large, stop = Asked(scheduler, steps, bulk), threading.Event()
    entry.came(1)

    def flood() -> None:
        while not stop.is_set():
            waiting = [Asked(scheduler, steps, [text]) for text in texts[:90]]
            for each in waiting:
                each.wait()

    floods = [threading.Thread(target=flood) for _ in range(2)]
    for each in floods:
        each.start()
    mine = set(ids_of(steps, bulk))
    end = time.monotonic() + 15
    while sum(not mine.isdisjoint(batch) for batch in entry.batches) < 6 and time.monotonic() < end:
        time.sleep(0.01)
    stop.set()
    for each in floods:
        each.join()
    taken = [name for name, batch in zip(entry.threads, entry.batches, strict=False) if not mine.isdisjoint(batch)]
    assert [name.split()[1] for name in taken[:6]] == ["bulk", *["small"] * 5]
    assert not large.is_done  # one batch of it is with the thread that does not run


def test_patience_keeps_small_requests_first(
    texts: list[str], bulk: list[str], gate: Gate, scheduler_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of a large request per time of patience, not more."""
    monkeypatch.setattr("edge_st.server.scheduling.scheduler._PATIENCE", 1000)
    steps, entry = gate
    scheduler = scheduler_of()
    Asked(scheduler, steps, bulk)
    entry.came(1)
    small = [Asked(scheduler, steps, [text]) for text in texts[:50]]
    entry.came(2)
    entry._waits = lambda: "bulk" in threading.current_thread().name
    entry.let(1)  # to one of the two, and if it was the large one then once more
    entry.let(1)
    for each in small:
        each.wait()
    mine = set(ids_of(steps, bulk))
    assert not any(
        name.startswith("edge-st small") and not mine.isdisjoint(batch)
        for name, batch in zip(entry.threads, entry.batches, strict=False)
    )


def test_a_text_in_flight_is_computed_once(texts: list[str], gate: Gate, scheduler_of: Make, equals: Equals) -> None:
    steps, entry = gate
    scheduler = scheduler_of()
    first = Asked(scheduler, steps, [texts[0], texts[0]])  # twice in one request
    entry.came(1)
    computing = Asked(scheduler, steps, [texts[0]])
    waiting = [Asked(scheduler, steps, [texts[1], texts[0]]) for _ in range(3)]
    entry.open()
    equals(first.values(), [texts[0]] * 2)
    equals(computing.values(), [texts[0]])
    for each in waiting:
        equals(each.values(), [texts[1], texts[0]])
    assert sorted(entry.rows()) == sorted(ids_of(steps, texts[:2]))
    assert is_empty(scheduler)


def test_the_same_text_of_other_models_and_kinds_is_another(
    texts: list[str], gate: Gate, plain: Steps, scheduler_of: Make
) -> None:
    scheduler = scheduler_of()
    asked = [Asked(scheduler, gate[0], texts[:1], name) for name in ("tiny", "other", "tiny")]
    gate[1].open()
    for each in asked:
        each.wait()
    assert len(gate[1].rows()) == 2


def test_a_small_request_hastens_a_text_of_a_large_one(
    bulk: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    steps, entry = gate
    scheduler = scheduler_of()
    large = Asked(scheduler, steps, bulk)
    entry.came(1)
    (text,) = [text for text in bulk if ids_of(steps, [text])[0] not in entry.rows()][:1]
    before = scheduler.waiting("tiny")
    small = Asked(scheduler, steps, [text])
    entry.came(2)
    assert entry.batches[1] == ids_of(steps, [text])
    size = len(entry.batches[1][0])
    assert scheduler.waiting("tiny") == (before[0] - 1, before[1] - size)
    entry.open()
    equals(small.values(), [text])
    equals(large.values(), bulk)
    assert sorted(entry.rows()) == sorted(ids_of(steps, bulk))  # each once
    assert is_empty(scheduler)


@pytest.mark.parametrize("leaving", ["small", "large"])
def test_who_leaves_a_hastened_text_leaves_it_to_the_other(
    leaving: str, texts: list[str], bulk: list[str], gate: Gate, scheduler_of: Make, equals: Equals
) -> None:
    steps, entry = gate
    scheduler = scheduler_of()
    blocking = Asked(scheduler, steps, texts[:1])
    entry.came(1)
    large = Asked(scheduler, steps, bulk)
    entry.came(2)
    (text,) = [text for text in bulk if ids_of(steps, [text])[0] not in entry.rows()][:1]
    small = Asked(scheduler, steps, [text])
    (small if leaving == "small" else large).cancel()
    entry.open()
    if leaving == "small":
        equals(large.values(), bulk)
    else:
        equals(small.values(), [text])
    blocking.wait()
    assert is_empty(scheduler)


def test_what_waits_is_counted_at_each_moment(texts: list[str], gate: Gate, scheduler_of: Make) -> None:
    steps, entry = gate
    scheduler = scheduler_of()
    sizes = [len(ids) for ids in ids_of(steps, texts)]
    assert scheduler.waiting("tiny") == (0, 0)
    first = Asked(scheduler, steps, texts[:1])
    entry.came(1)
    assert scheduler.waiting("tiny") == (0, 0)  # it is computed
    second = Asked(scheduler, steps, texts[1:4])
    third = Asked(scheduler, steps, texts[3:6])  # one of them waits already
    fourth = Asked(scheduler, steps, texts[6:8], "other")
    assert scheduler.waiting("tiny") == (5, sum(sizes[1:6]))
    assert scheduler.waiting("other") == (2, sum(sizes[6:8]))
    third.cancel()
    assert scheduler.waiting("tiny") == (3, sum(sizes[1:4]))
    entry.open()
    for each in (first, second, fourth):
        each.wait()
    assert scheduler.waiting("tiny") == scheduler.waiting("other") == (0, 0)


def test_batches_are_told_of(texts: list[str], gate: Gate, scheduler_of: Make) -> None:
    told: list[tuple[str, int, int]] = []
    gate[1].open()
    scheduler = scheduler_of(batched=lambda *batch: told.append(batch))
    Asked(scheduler, gate[0], texts).wait()
    scheduler.close()
    assert {name for name, _, _ in told} == {"tiny"}
    assert sum(count for _, count, _ in told) == len(texts)
    assert sum(tokens for _, _, tokens in told) == sum(map(len, ids_of(gate[0], texts)))


def test_a_request_knows_its_times(texts: list[str], gate: Gate, scheduler_of: Make) -> None:
    steps, entry = gate
    scheduler = scheduler_of()
    first = Asked(scheduler, steps, texts[:1])
    entry.came(1)
    second = Asked(scheduler, steps, texts[1:2])
    assert first.job.started is not None
    assert second.job.started is None
    time.sleep(0.05)
    entry.open()
    second.wait()
    assert second.job.started is not None
    assert second.job.started - second.job.arrived >= 0.05
