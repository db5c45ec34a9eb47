"""What the cache keeps, and what it forgets."""

from collections.abc import Callable

import numpy as np
import pytest

from edge_st.models.steps import Steps
from edge_st.server.scheduling.cache import _OVERHEAD, Cache
from edge_st.server.scheduling.scheduler import Scheduler
from edge_st_runtime.vectors.sparse import SparseVector
from tests.support.asking import Asked
from tests.support.gated import Gated

Make = Callable[..., Scheduler]
Gate = tuple[Steps, Gated]
WIDTH = 10
SIZE = _OVERHEAD + 4 * WIDTH


def vector(value: float) -> np.ndarray:
    return np.full(WIDTH, value, np.float32)


def key(number: int) -> bytes:
    return number.to_bytes(16, "little")


def kept(cache: Cache, numbers: range) -> list[int]:
    return [number for number in numbers if key(number) in cache._values]


def test_what_was_not_asked_for_the_longest_time_is_forgotten() -> None:
    cache = Cache(3 * SIZE)
    for number in range(3):
        cache.put(key(number), vector(number))
    assert cache.get(key(0))[0] == 0
    cache.put(key(3), vector(3))
    assert kept(cache, range(4)) == [0, 2, 3]
    assert cache.get(key(1)) is None


def test_it_is_bounded_in_bytes() -> None:
    cache = Cache(100 * SIZE + 5)
    for number in range(1000):
        cache.put(key(number), vector(number))
        assert cache._size == sum(_OVERHEAD + value.nbytes for value in cache._values.values()) <= 100 * SIZE + 5
    assert kept(cache, range(1000)) == list(range(900, 1000))


def test_a_value_that_is_put_twice_is_counted_once() -> None:
    cache = Cache(2 * SIZE)
    for _ in range(5):
        cache.put(key(1), vector(1))
    assert cache._size == SIZE


def test_what_is_larger_than_all_is_not_kept_and_throws_nothing_out() -> None:
    cache = Cache(2 * SIZE)
    cache.put(key(1), vector(1))
    cache.put(key(2), np.zeros(1000, np.float32))
    assert kept(cache, range(3)) == [1]


def test_a_row_does_not_keep_its_batch_alive() -> None:
    batch = np.zeros((500, WIDTH), np.float32)
    cache = Cache(10 * SIZE)
    cache.put(key(1), batch[3])
    batch[:] = 1
    assert cache.get(key(1)).base is None
    assert not cache.get(key(1)).any()


def test_a_sparse_row_does_not_keep_its_batch_alive() -> None:
    indices, values = np.arange(10**5, dtype=np.int32), np.ones(10**5, np.float32)
    cache = Cache(10 * SIZE)
    cache.put(key(1), SparseVector(indices[5:8], values[5:8], 10**5))
    found = cache.get(key(1))
    assert cache._size == _OVERHEAD + 24
    assert bytes_behind(found.indices) == bytes_behind(found.values) == 12
    assert found.to_dict() == {5: 1, 6: 1, 7: 1}


def bytes_behind(array: np.ndarray) -> int:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.nbytes


def test_hits_are_counted_and_not_computed(
    texts: list[str], gate: Gate, scheduler_of: Make, equals: Callable[..., None]
) -> None:
    gate[1].open()
    scheduler = scheduler_of(cache_bytes=10**6)
    first = Asked(scheduler, gate[0], texts[:20])
    equals(first.values(), texts[:20])
    computed = len(gate[1].rows())
    second = Asked(scheduler, gate[0], texts[10:30])
    equals(second.values(), texts[10:30])
    assert (first.job.cached, second.job.cached) == (0, 10)
    assert len(gate[1].rows()) == computed + 10
    third = Asked(scheduler, gate[0], texts[:30])
    assert third.is_done  # at once
    assert (third.job.cached, third.calls) == (30, 1)
    equals(third.values(), texts[:30])
    assert len(gate[1].rows()) == computed + 10


def test_values_of_another_model_are_not_given(texts: list[str], gate: Gate, scheduler_of: Make) -> None:
    gate[1].open()
    scheduler = scheduler_of(cache_bytes=10**6)
    Asked(scheduler, gate[0], texts[:3]).wait()
    other = Asked(scheduler, gate[0], texts[:3], "other")
    other.wait()
    assert other.job.cached == 0


@pytest.mark.parametrize("cache_bytes", [0, 2000])
def test_a_small_cache_and_none_give_the_same(
    cache_bytes: int, texts: list[str], gate: Gate, scheduler_of: Make, equals: Callable[..., None]
) -> None:
    gate[1].open()
    scheduler = scheduler_of(cache_bytes=cache_bytes)
    for _ in range(3):
        equals(Asked(scheduler, gate[0], texts).values(), texts)
    assert scheduler._cache is None or 0 < scheduler._cache._size <= cache_bytes
