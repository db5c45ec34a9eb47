"""OpenVINO where memory is short: it may return without an error and with the output of an earlier call."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_graphs import TinyGraph

SCRIPT = """
import resource, sys
from pathlib import Path
import numpy as np
from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines.backend import EngineOptions, open_backend
from edge_st_runtime.errors import EdgeSTError

def batch(first, count):
    ids = np.arange(first, first + count)[None] % 400 + 5
    return TokenBatch(ids, np.ones_like(ids), np.zeros_like(ids), alone=True)

backend = open_backend("openvino", Path(sys.argv[1]), EngineOptions(num_threads=int(sys.argv[2])))
small = [batch(number, 100) for number in range(8)]
wanted = [backend.run(each) for each in small]
large = batch(0, 2_000_000)
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 64 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
found = []
for each in small:
    for one in (large, each):
        try:
            found.append(backend.run(one))
        except EdgeSTError as error:
            found.append(error)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
after = [backend.run(each) for each in small]
def right(found, wanted):
    return isinstance(found, EdgeSTError) or (found.shape == wanted.shape and np.allclose(found, wanted, atol=1e-5))
assert all(isinstance(each, EdgeSTError) for each in found[::2])
assert all(map(right, found[1::2], wanted))
assert all(map(right, after, wanted))
assert not any(isinstance(each, EdgeSTError) for each in after)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory on this system")
@pytest.mark.parametrize("num_threads", [1, 2])
def test_no_output_of_an_earlier_call(num_threads: int, tmp_path: Path) -> None:
    graph = TinyGraph().save(tmp_path / "model.onnx")
    command = [sys.executable, "-c", SCRIPT, str(graph), str(num_threads)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
