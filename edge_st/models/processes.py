"""Work in a process of its own, so that models do not share memory and threads."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from edge_st_runtime.errors import EngineError, ResourceError

from .spawning import spawning

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


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, for whatever reason."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_end, args=(parent,), daemon=True).start()


def _wait_and_end(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
