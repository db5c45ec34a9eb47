"""What ``edge-st doctor`` looks at. Compiled packages are imported in a child process, in case they crash."""

import json
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from edge_st_runtime.errors import EngineError, OptionError

from .findings import System

TIMEOUT_SECONDS = 120
ILLEGAL_INSTRUCTION_WINDOWS = 0xC000001D
CHILD = "import sys; from edge_st.cli.probes import print_facts; print_facts(sys.argv[1])"
ONNXRUNTIME_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")


@dataclass(frozen=True, slots=True)
class Probe:
    """What a child process printed, or why it failed."""

    found: dict[str, object] = field(default_factory=dict)
    error: str | None = None


def probe(name: str) -> Probe:
    """Find the facts of ``name``, a key of `FACTS` or an installed package, in a child process.

    A frozen program has no Python to start: there the facts are found in this process.
    """
    if getattr(sys, "frozen", False) or not sys.executable:
        try:
            return Probe(found=facts(name))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a package is reported
            return Probe(error=f"{type(error).__name__}: {error}")
    return run_probe(CHILD, name)


def run_probe(code: str, *arguments: str, timeout: float = TIMEOUT_SECONDS) -> Probe:
    """Run Python code in a child process with this process' import path.

    The code prints a JSON object as its last line.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-c", code, *arguments]
    try:
        child = subprocess.run(  # noqa: S603 (our own interpreter and code)
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return Probe(error=f"no answer within {timeout:g} seconds")
    if child.returncode == 0:
        return Probe(found=json.loads(child.stdout.splitlines()[-1]))
    return Probe(error=_reason(child))


def print_facts(name: str) -> None:
    """Print `facts` as JSON."""
    print(json.dumps(facts(name)))


def facts(name: str) -> dict[str, object]:
    """The version of a package, with an engine's devices; or what the bundled model gives. Raises what it raises."""
    if name in FACTS:
        return FACTS[name]()
    return {"version": import_module(name).__version__}


def _of_onnxruntime() -> dict[str, object]:
    from edge_st_runtime.engines.quiet_onnxruntime import onnxruntime

    return {"version": onnxruntime.__version__, "devices": onnxruntime.get_available_providers()}


def _of_openvino() -> dict[str, object]:
    from edge_st_runtime.engines.quiet_openvino import openvino

    return {"version": openvino.__version__.split("-")[0], "devices": openvino.Core().available_devices}


def _of_bundled_model() -> dict[str, object]:
    start = time.perf_counter()
    from edge_st import SentenceTransformer

    vector = SentenceTransformer().encode("Is everything in its place?")
    if not 0 < float((vector * vector).sum()) < float("inf"):
        raise EngineError(f"the vector of a text is {vector}")
    return {"dimension": int(vector.shape[-1]), "seconds": round(time.perf_counter() - start, 3)}


FACTS = {"onnxruntime": _of_onnxruntime, "openvino": _of_openvino, "bundled_model": _of_bundled_model}


def probe_package(name: str) -> Probe:
    """Import an engine or another compiled package; found are its version and an engine's devices."""
    return Probe(error="not installed") if find_spec(name) is None else probe(name)


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
    from edge_st_runtime.machine import background, threads
    from edge_st_runtime.machine.cgroup import cgroup_quota

    affinity = len(os.sched_getaffinity(0)) if sys.platform == "linux" else None
    found: dict[str, object] = {
        "logical_cores": os.cpu_count(),
        "affinity": affinity,
        "cgroup_quota": cgroup_quota(),
        **{name: os.environ.get(name) for name in (threads.VARIABLE, background.VARIABLE)},
    }
    try:
        return {**found, "chosen": threads.thread_count(), "error": None}
    except OptionError as error:
        return {**found, "chosen": None, "error": str(error)}


def probe_system() -> System:
    """The C library, the memory, and what this process may not do."""
    from edge_st_runtime.machine.memory import usable_memory

    return System(
        name=sys.platform,
        machine=platform.machine(),
        libc=_libc() if sys.platform == "linux" else None,
        memory=usable_memory(),
        no_cache=_why_nothing_is_kept(),
        no_semaphores=_why_no_semaphores(),
    )


def _libc() -> str | None:
    if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or ""):
        return "musl"
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        return None


def _why_nothing_is_kept() -> str | None:
    from edge_st_runtime.machine.local_cache import why_not_kept

    return why_not_kept("self-test")


def _why_no_semaphores() -> str | None:
    """Why the system gives no semaphore, as without /dev/shm."""
    try:
        multiprocessing.get_context("spawn").Lock()
    except (ImportError, OSError) as error:
        return str(error)
    return None


def _reason(child: "subprocess.CompletedProcess[str]") -> str:
    if child.returncode == -signal.SIGILL or child.returncode & 0xFFFFFFFF == ILLEGAL_INSTRUCTION_WINDOWS:
        return "crashed: illegal instruction (this build uses instructions that the CPU does not have)"
    if child.returncode < 0:
        return f"crashed: {signal.strsignal(-child.returncode)}"
    lines = child.stderr.strip().splitlines()
    return lines[-1] if lines else f"ended with code {child.returncode}"
