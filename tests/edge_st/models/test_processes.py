"""Processes of frozen programs, and those of systems without semaphores."""

import os
import subprocess
import sys

import pytest

from edge_st import SentenceTransformer
from edge_st.models.processes import in_process
from edge_st_runtime.errors import EngineError

READ_ONLY = 'mount -t tmpfs -o ro none /dev/shm && exec "$0" -c "$1"'
ABSENT = 'mount -t tmpfs none /dev && touch /dev/null && exec "$0" -c "$1"'
PROGRAM = """
from edge_st import EdgeSTError, SentenceTransformer
from edge_st.models.processes import in_process

if __name__ == "__main__":
    model = SentenceTransformer()
    pool = model.start_multi_process_pool(["cpu", "cpu"])
    print(model.encode(["a", "b", "c"], pool=pool, show_progress_bar=True).shape)
    model.stop_multi_process_pool(pool)
    try:
        in_process(int, "3", died="")
    except EdgeSTError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.parametrize("without", [READ_ONLY, ABSENT], ids=["/dev/shm is read-only", "no /dev/shm"])
def test_pools_need_no_semaphores(without: str) -> None:
    """What does need them is refused with the reason."""
    command = ["unshare", "--mount", "sh", "-c", without, sys.executable, PROGRAM]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this user cannot make a mount namespace")
    assert done.returncode == 0, done.stderr
    shape, refusal = done.stdout.splitlines()
    assert shape == "(3, 256)"
    assert refusal.startswith("ResourceError this needs a process of its own, and the system gives no semaphore")
    assert "/dev/shm" in refusal


@pytest.mark.parametrize(
    "argv",
    [
        ["program", "--multiprocessing-fork", "tracker_fd=5", "pipe_handle=7"],
        ["program", "-B", "-S", "-I", "-c", "from multiprocessing.resource_tracker import main;main(6)"],
    ],
    ids=["worker", "resource tracker"],
)
def test_a_frozen_program_without_freeze_support_does_not_start_itself_for_ever(
    argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(EngineError, match=r"call multiprocessing.freeze_support\(\) first"):
        SentenceTransformer().start_multi_process_pool(["cpu"])
    with pytest.raises(EngineError, match=r"call multiprocessing.freeze_support\(\) first"):
        in_process(int, "3", died="")


LATE = """
import threading
from edge_st import SentenceTransformer

def work():
    threading.main_thread().join()
    pool = model.start_multi_process_pool(["cpu", "cpu"])
    print(model.encode(["a", "b", "c"], pool=pool).shape)
    model.stop_multi_process_pool(pool)

if __name__ == "__main__":
    model = SentenceTransformer()
    threading.Thread(target=work).start()
"""


@pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 12, 2), reason="Python itself refuses there: python/cpython#113964"
)
def test_a_thread_that_outlives_the_main_thread_starts_a_pool() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", LATE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.stdout, done.stderr) == ("(3, 256)\n", "")
