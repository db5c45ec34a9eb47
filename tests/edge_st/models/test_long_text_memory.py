"""A long text in a model without a limit: the memory that it takes, and its vector."""

import subprocess
import sys

import numpy as np
import pytest

from edge_st import SentenceTransformer
from tests.edge_st.cli.test_main import ENVIRONMENT

SENTENCE = "the quick brown fox jumps over a lazy dog. "
PEAK = f"""
from edge_st import SentenceTransformer
model = SentenceTransformer()
model.encode({SENTENCE!r} * 70_000)
status = open("/proc/self/status").read()  # its peak is this process' own; getrusage's begins with the parent's
print(int(status.partition("VmHWM:")[2].split()[0]) * 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_three_million_characters_take_less_than_200_mb() -> None:
    child = subprocess.run([sys.executable, "-c", PEAK], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert int(child.stdout) < 200e6


def test_a_text_many_times_has_the_vector_of_one() -> None:
    model = SentenceTransformer()
    long, short = model.encode([SENTENCE * 5000, SENTENCE])
    np.testing.assert_allclose(long, short, atol=1e-6)
