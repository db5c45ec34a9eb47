"""Work in a process of its own, so that models do not share memory and threads."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from edge_st_runtime.errors import EngineError, ResourceError

R = TypeVar("R")


def in_process(work: Callable[..., R], *arguments: Any, died: str) -> R:
    """What ``work`` returns in a new process. Raises what it raises, and EngineError(died) if the process dies."""
    with new_process() as process:
        try:
            return process.submit(work, *arguments).result()
        except BrokenProcessPool as error:
            raise EngineError(died) from error


def new_process() -> ProcessPoolExecutor:
    """A process that shares nothing with this one, and ends with it.

    Raises ResourceError where the system gives no semaphores, as on AWS Lambda, which has no /dev/shm.
    """
    context = spawning()
    try:
        return ProcessPoolExecutor(1, context, initializer=_end_with_parent)
    except (OSError, ImportError, NotImplementedError) as error:
        raise ResourceError(
            f"this needs a process of its own, and the system gives no semaphore to talk to it ({error}); expected a "
            "folder /dev/shm that can be written; run it on another machine, or start the container with one"
        ) from error


def spawning() -> SpawnContext:
    """Where new processes come from: each is a new interpreter. Threads may be running when it is started.

    A frozen program has no interpreter: it starts itself again, and `multiprocessing.freeze_support()` makes a worker
    of it. Raises EngineError in a program that was started so and went on without: it would start itself for ever.
    """
    if getattr(sys, "frozen", False) and any(
        argument == "--multiprocessing-fork" or argument.startswith("from multiprocessing.") for argument in sys.argv
    ):
        raise EngineError(
            "this frozen program was started as a worker process, but runs as the program; call "
            "multiprocessing.freeze_support() first under `if __name__ == '__main__':`"
        )
    return multiprocessing.get_context("spawn")


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, for whatever reason."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_end, args=(parent,), daemon=True).start()


def _wait_and_end(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
