"""What ``edge-st doctor`` looks at. Compiled packages are imported in a child process, in case they crash."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from edge_st_runtime.errors import OptionError

TIMEOUT_SECONDS = 120
ILLEGAL_INSTRUCTION_WINDOWS = 0xC000001D
VERSION = "import json, {0}; print(json.dumps({{'version': {0}.__version__}}))"
ONNXRUNTIME = """
import json
from edge_st_runtime.engines.quiet_onnxruntime import onnxruntime
print(json.dumps({"version": onnxruntime.__version__, "devices": onnxruntime.get_available_providers()}))
"""
OPENVINO = """
import json
from edge_st_runtime.engines.quiet_openvino import openvino
print(json.dumps({"version": openvino.__version__.split("-")[0], "devices": openvino.Core().available_devices}))
"""
BUNDLED_MODEL = """
import json, time
start = time.perf_counter()
from edge_st import SentenceTransformer
vector = SentenceTransformer().encode("Is everything in its place?")
if not 0 < float((vector * vector).sum()) < float("inf"):
    raise SystemExit(f"the vector of a text is {vector}")
print(json.dumps({"dimension": int(vector.shape[-1]), "seconds": round(time.perf_counter() - start, 3)}))
"""
ONNXRUNTIME_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")


@dataclass(frozen=True, slots=True)
class Probe:
    """What a child process printed, or why it failed."""

    found: dict[str, object] = field(default_factory=dict)
    error: str | None = None


def run_probe(code: str, timeout: float = TIMEOUT_SECONDS) -> Probe:
    """Run Python code in a child process with this process' import path.

    The code prints a JSON object as its last line.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-c", code]
    try:
        child = subprocess.run(  # noqa: S603 (our own interpreter and code)
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return Probe(error=f"no answer within {timeout:g} seconds")
    if child.returncode == 0:
        return Probe(found=json.loads(child.stdout.splitlines()[-1]))
    return Probe(error=_reason(child))


def probe_package(name: str) -> Probe:
    """Import an engine or another compiled package; found are its version and an engine's devices."""
    if find_spec(name) is None:
        return Probe(error="not installed")
    return run_probe({"onnxruntime": ONNXRUNTIME, "openvino": OPENVINO}.get(name) or VERSION.format(name))


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution; None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def onnxruntime_distributions() -> list[str]:
    """The installed distributions of the package onnxruntime. Several of them overwrite each other's files."""
    return [name for name in ONNXRUNTIME_DISTRIBUTIONS if installed_version(name) is not None]


def probe_threads() -> dict[str, object]:
    """Cores, limits and the number of threads, as the runtime sees them."""
    from edge_st_runtime.machine import threads
    from edge_st_runtime.machine.cgroup import cgroup_quota

    affinity = len(os.sched_getaffinity(0)) if sys.platform == "linux" else None
    found: dict[str, object] = {
        "logical_cores": os.cpu_count(),
        "affinity": affinity,
        "cgroup_quota": cgroup_quota(),
        threads.VARIABLE: os.environ.get(threads.VARIABLE),
    }
    try:
        return {**found, "chosen": threads.thread_count(), "error": None}
    except OptionError as error:
        return {**found, "chosen": None, "error": str(error)}


def _reason(child: "subprocess.CompletedProcess[str]") -> str:
    if child.returncode == -signal.SIGILL or child.returncode & 0xFFFFFFFF == ILLEGAL_INSTRUCTION_WINDOWS:
        return "crashed: illegal instruction (this build uses instructions that the CPU does not have)"
    if child.returncode < 0:
        return f"crashed: {signal.strsignal(-child.returncode)}"
    lines = child.stderr.strip().splitlines()
    return lines[-1] if lines else f"ended with code {child.returncode}"
