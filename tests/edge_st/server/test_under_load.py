"""The benchmark of a server under load, shortened: it ends with exit code 0 where nothing is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
_BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "serve_load.py"
_MODEL = "edge_st_model_all_minilm_l6_v2"


def test_twice_the_load_a_killed_worker_and_an_end() -> None:
    pytest.importorskip(_MODEL)
    options = ["--minutes", "0.4", "--seconds", "4", "--queue-tokens", "20000"]
    found = subprocess.run(
        [sys.executable, str(_BENCHMARK), "all-MiniLM-L6-v2", *options],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "0 faults" in found.stdout
    for part in ("twice the capacity", "accepted, one text: p50", "two served again after", "requests were there"):
        assert part in found.stdout
