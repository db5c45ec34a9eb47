"""The vector index with several processes: a killed writer, a second writer, a forked process."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest

from edge_st_runtime.errors import (
    FolderError,
    OptionError,
)
from edge_st_runtime.store.rows.index import MANIFEST, MIGRATION
from edge_st_runtime.store.segment_folder import listed
from tests.support.small_vectors import Small, check, files_of, migrated, other_settings


def test_what_a_killed_writer_left_goes_with_the_next(small: Small) -> None:
    small.index.close()
    folder, before = small.index.folder, files_of(small)
    leftovers = [f"segment-{'0' * 32}.safetensors", f".{MANIFEST}.{'1' * 32}", f".{MIGRATION}.{'2' * 32}"]
    others = ["segment-notes.txt", "segment-1.safetensors", ".index.json.swp", "notes"]
    for name in (*leftovers, *others):
        (folder / name).write_text("x")
    check(small.open().snapshot, small.held)
    assert files_of(small) == before | {*leftovers, *others}
    small.open("a").close()
    assert files_of(small) == before | {*others}


def test_an_unfinished_migration_stays_until_there_is_another(small: Small) -> None:
    written = {entry["name"] for entry in listed(migrated(small)._manifest)}
    before = files_of(small)
    small.index.close()
    index = small.open("a")
    assert files_of(small) == before
    again = index.start_migration(other_settings(small))
    assert len(again.snapshot) == len(small.held)
    other = index.start_migration(other_settings(small, 1))
    assert len(other.snapshot) == 0
    assert files_of(small) == before - written
    check(index.snapshot, small.held)
    index.close()


_PROCESS = """
import sys
from pathlib import Path
from edge_st_runtime.errors import FolderError
from edge_st_runtime.store.dense.index import VectorIndex
from edge_st_runtime.store.tokens.index import TokenIndex
opening = {"VectorIndex": VectorIndex, "TokenIndex": TokenIndex}[sys.argv[2]].open
try:
    index = opening(Path(sys.argv[1]), "a")
except FolderError as error:
    print(error, flush=True)
else:
    print("open", flush=True)
    sys.stdin.read()
"""


def process(small: Small) -> tuple[Any, str]:
    """Another process that opens the folder for writing, and the line that it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _PROCESS, str(small.index.folder), type(small.index).__name__]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running: Any = subprocess.Popen(command, env=environment, **pipes)
    return running, running.stdout.readline()


def test_a_second_writer_in_another_process_and_one_that_is_killed(small: Small) -> None:
    refused, said = process(small)
    assert "open for writing elsewhere" in said
    refused.wait(10)
    small.index.close()
    running, said = process(small)
    assert said == "open\n"
    with pytest.raises(FolderError, match="open for writing elsewhere"):
        small.open("a")
    running.send_signal(signal.SIGKILL)
    running.wait(10)
    with small.open("a") as index:
        check(index.snapshot, small.held)
    for each in (refused, running):
        each.stdin.close()
        each.stdout.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_only_reads(small: Small) -> None:
    pid = os.fork()
    if not pid:
        right = False
        with suppress(BaseException):
            check(small.index.snapshot, small.held)
            try:
                small.append(1)
            except OptionError:
                right = not small.index.writable
            small.index.close()
        os._exit(0 if right else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert "open for writing elsewhere" in process(small)[1]
    small.append(1)
    check(small.open().snapshot, small.held)
