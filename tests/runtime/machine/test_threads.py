"""The number of threads: by affinity, the cgroup's quota, the profile and the user's settings."""

import os
from typing import Any

import pytest

from edge_st_runtime.errors import OptionError
from edge_st_runtime.machine import threads
from edge_st_runtime.machine.threads import available_cores, thread_count


@pytest.mark.parametrize(("quota", "cores"), [(None, 4), (8.0, 4), (1.5, 2), (0.1, 1), (3.0, 3)])
def test_cores_are_the_smaller_of_affinity_and_quota(
    quota: float | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 2, 4, 6}, raising=False)
    monkeypatch.setattr(threads, "cgroup_quota", lambda: quota)
    assert available_cores() == cores


def test_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    monkeypatch.setattr(threads, "cgroup_quota", lambda: None)
    assert available_cores() == 3


def test_argument_wins_over_variable_over_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    assert thread_count() == available_cores()
    monkeypatch.setenv(threads.VARIABLE, " 7 ")
    assert thread_count() == 7
    assert thread_count(3) == 3
    monkeypatch.setenv(threads.VARIABLE, "")
    assert thread_count() == available_cores()


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "1e1"])
def test_wrong_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(threads.VARIABLE, value)
    with pytest.raises(OptionError, match=f"EDGE_ST_NUM_THREADS is '{value}'; expected a whole number of at least 1"):
        thread_count()


@pytest.mark.parametrize("value", [0, -3, 2.5, "2"])
def test_wrong_argument(value: Any) -> None:
    with pytest.raises(OptionError, match=f"num_threads is {value!r}"):
        thread_count(value)


def test_half_the_cores_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    monkeypatch.setattr(threads, "available_cores", lambda: 8)
    assert (thread_count(background=True), thread_count(background=False, most=4), thread_count(most=16)) == (4, 4, 8)
    monkeypatch.setenv("EDGE_ST_PROFILE", "background")
    assert (thread_count(), thread_count(6)) == (4, 6)
    monkeypatch.setattr(threads, "available_cores", lambda: 1)
    assert thread_count() == 1
    monkeypatch.setenv("EDGE_ST_PROFILE", "quiet")
    with pytest.raises(OptionError, match="EDGE_ST_PROFILE is 'quiet'; expected 'default' or 'background'"):
        thread_count()
