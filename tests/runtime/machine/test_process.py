"""Values of one process: made once, freed with their owner, made anew after a fork while other threads run."""

import os
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from edge_st_runtime.machine.process import PerProcess, default_environment

FORK_WHILE_A_THREAD_MAKES_THE_VALUE = """
import os, threading, time
from edge_st_runtime.machine.process import PerProcess

def make():
    making.set()
    time.sleep(0.5)
    return os.getpid()

making = threading.Event()
value = PerProcess(make)
thread = threading.Thread(target=value.get)
thread.start()
making.wait()
pid = os.fork()
if pid == 0:
    os._exit(0 if value.get() == os.getpid() else 1)
assert os.waitpid(pid, 0)[1] == 0
thread.join()
assert value.get() == os.getpid()
"""


class Value:
    """A value that a weak reference can watch."""


def test_made_once_by_however_many_threads() -> None:
    made: list[int] = []
    value = PerProcess(lambda: made.append(threading.get_ident()) or Value())
    with ThreadPoolExecutor(8) as pool:
        assert len({id(found) for found in pool.map(lambda _: value.get(), range(50))}) == 1
    assert len(made) == 1


def test_freed_with_its_owner() -> None:
    value = PerProcess(Value)
    watched = weakref.ref(value.get())
    assert watched() is not None
    del value
    assert watched() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_fork_while_another_thread_makes_it() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK_WHILE_A_THREAD_MAKES_THE_VALUE]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, check=True, timeout=30, env=environment)


@pytest.mark.parametrize("before", [None, "0"])
def test_default_environment(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_ST_TEST", raising=False)
    if before is not None:
        monkeypatch.setenv("EDGE_ST_TEST", before)
    with default_environment("EDGE_ST_TEST", "1"):
        assert os.environ["EDGE_ST_TEST"] == (before or "1")
    assert os.environ.get("EDGE_ST_TEST") == before
