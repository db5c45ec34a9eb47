"""Jobs for a scheduler, and their values."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_st.models.steps import Steps
from edge_st.server.scheduling.jobs import Job
from edge_st.server.scheduling.scheduler import Scheduler

_SECONDS = 20


class Asked:
    """A job that was given to ``scheduler``."""

    def __init__(self, scheduler: Scheduler, steps: Steps, texts: Sequence[Any], name: str = "tiny") -> None:
        self._done, self._scheduler, self.calls = threading.Event(), scheduler, 0
        self.job = Job(steps, texts, steps.tokens(texts), name, self._finish)
        scheduler.submit(self.job, name.encode())

    def _finish(self, job: Job) -> None:
        assert job is self.job
        self.calls += 1
        self._done.set()

    def wait(self) -> Exception | None:
        """The error of the job, once it is done."""
        assert self._done.wait(_SECONDS), "the job was not done in time"
        return self.job.error

    def values(self) -> Any:
        """The values, stacked."""
        error = self.wait()
        if error is not None:
            raise error
        return np.stack(self.job.values)

    def cancel(self) -> None:
        """Want it no more."""
        self._scheduler.cancel(self.job)

    @property
    def is_done(self) -> bool:
        """Whether it is done by now."""
        return self._done.is_set()


def ids_of(steps: Steps, texts: Sequence[Any]) -> list[tuple[int, ...]]:
    """The token ids of each text."""
    return [tuple(row.tolist()) for row in steps.tokens(texts).ids]


def is_empty(scheduler: Scheduler) -> bool:
    """Whether nothing waits or is computed, and nothing is left of what was.

    A request ends with its first error: then a batch of it may still be computed, for which this waits.
    """
    end = time.monotonic() + _SECONDS
    while _left(scheduler) and time.monotonic() < end:
        time.sleep(0.01)
    return not _left(scheduler)


def _left(scheduler: Scheduler) -> int:
    lanes = sum(lane.texts.total() + lane.tokens.total() for lane in scheduler._lanes.values())
    return lanes + len(scheduler._in_flight) + sum(scheduler._running.values())
