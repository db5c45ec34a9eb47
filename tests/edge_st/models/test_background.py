"""The background profile: the same vectors, by few threads of the engine at the lowest priority."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer
from edge_st_runtime.errors import OptionError
from edge_st_runtime.machine import threads
from tests.support.tiny_tokenizers import random_texts

TEXTS = random_texts(100)
COMPUTING = """
import os, sys
from edge_st import SentenceTransformer
model = SentenceTransformer(sys.argv[1], backend="onnx", profile="background", num_threads=1)
model.encode([f"word {number}" for number in range(1000)])
idle = [task for task in map(int, os.listdir("/proc/self/task")) if os.sched_getscheduler(task) == os.SCHED_IDLE]
print(len(idle), os.sched_getscheduler(0))
"""


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    monkeypatch.setattr(threads, "available_cores", lambda: 4)


def test_the_same_vectors(model: SentenceTransformer, tiny_folder: Path, engine: str) -> None:
    quiet = SentenceTransformer(tiny_folder, backend=engine, dtype="float32", profile="background")
    np.testing.assert_allclose(quiet.encode(TEXTS), model.encode(TEXTS), atol=1e-6)
    tokens = quiet.encode(TEXTS[:3], output_value="token_embeddings")
    assert [len(each) for each in tokens] == [
        len(each) for each in model.encode(TEXTS[:3], output_value="token_embeddings")
    ]


def test_pairs_keep_their_types(cross_encoder_folders: dict[int, Path]) -> None:
    pairs = [(TEXTS[i], TEXTS[-i]) for i in range(50)]
    quiet, loud = (
        CrossEncoder(cross_encoder_folders[1], backend="onnx", profile=name) for name in ("background", None)
    )
    np.testing.assert_allclose(quiet.predict(pairs), loud.predict(pairs), atol=1e-6)


@pytest.mark.usefixtures("four_cores")
def test_half_the_cores(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SentenceTransformer(tiny_folder, profile="background").info()["threads"] == 2
    monkeypatch.setenv("EDGE_ST_PROFILE", "background")
    assert SentenceTransformer(tiny_folder).info()["threads"] == 2
    assert SentenceTransformer(tiny_folder, profile="default").info()["threads"] == 4
    assert SentenceTransformer(tiny_folder, num_threads=3).info()["threads"] == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not show the priority of a thread")
def test_only_threads_of_the_engine_have_the_lowest_priority(tiny_folder: Path) -> None:
    command = [sys.executable, "-c", COMPUTING, str(tiny_folder)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert found == ["1", str(os.SCHED_OTHER)]


def test_pauses(tiny_folder: Path) -> None:
    quiet = SentenceTransformer(tiny_folder, backend="onnx", profile="background", num_threads=1)
    start, used = time.perf_counter(), time.process_time()
    quiet.encode(random_texts(2000))
    assert time.process_time() - used < 0.9 * (time.perf_counter() - start)


def test_an_unknown_profile(tiny_folder: Path) -> None:
    with pytest.raises(OptionError, match="profile is 'quiet'; expected 'default' or 'background'"):
        SentenceTransformer(tiny_folder, profile="quiet")
