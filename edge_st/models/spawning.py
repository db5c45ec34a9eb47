"""Where new processes come from."""

import multiprocessing
import sys
from multiprocessing.context import SpawnContext

from edge_st_runtime.errors import EngineError


def spawning() -> SpawnContext:
    """The context of new processes: each is a new interpreter, whatever threads run in this one.

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
