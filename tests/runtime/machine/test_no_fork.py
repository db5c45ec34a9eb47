"""Blocks during which no other thread forks the process. A process of its own, because a failure is a hang."""

import os
import subprocess
import sys
from textwrap import dedent

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
IMPORTS = "import os, threading, time\nfrom edge_st_runtime.machine.process import NoFork\n"


def run(script: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", IMPORTS + dedent(script)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)
    assert done.stderr == ""
    return done.stdout.strip()


def test_a_fork_waits_for_other_threads_and_they_for_it() -> None:
    found = run("""
        guard, inside, go = NoFork(), threading.Event(), threading.Event()
        left = []
        def work():
            with guard, guard:
                inside.set()
                go.wait()
                time.sleep(0.05)
                left.append(True)
        threading.Thread(target=work).start()
        inside.wait()
        threading.Timer(0.05, go.set).start()
        pid = os.fork()
        waited = bool(left)
        with guard:
            if pid == 0:
                os._exit(0 if waited else 1)
        print(waited, os.waitpid(pid, 0)[1])
    """)
    assert found == "True 0"


def test_a_fork_within_its_own_block_does_not_wait() -> None:
    found = run("""
        guard = NoFork()
        with guard:
            pid = os.fork()
            if pid:
                print(os.waitpid(pid, 0)[1])
        with guard:
            if not pid:
                os._exit(0)
    """)
    assert found == "0"


def test_a_fork_waits_no_longer_than_its_patience() -> None:
    found = run("""
        guard, inside, go = NoFork(patience=0.05), threading.Event(), threading.Event()
        def work():
            with guard:
                inside.set()
                go.wait()
        threading.Thread(target=work).start()
        inside.wait()
        pid = os.fork()
        if pid == 0:
            with guard:
                os._exit(0)
        go.set()
        print(os.waitpid(pid, 0)[1])
    """)
    assert found == "0"
