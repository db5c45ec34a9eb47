"""A function as ``edge-st pack lambda`` writes it, run by AWS's runtime client in a bare environment on one core.

The environment has a read-only root but for /tmp, no home, no /dev/shm and a limit of memory. A cold start is counted
from the start of the process to the answer with one embedding; the files are in the page cache. The peak is that of
resident memory with the mapped weights. Whole starts are run in turn; the first of each is not counted. Run it in the
export environment from the repository, with PYTHONPATH=.:runtime:export, as a user who may make memory cgroups. It
needs bubblewrap, and a Python of the version that is packed for on the PATH.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tables import table

from edge_st_export import pack_lambda
from edge_st_export.packing.aws_lambda.report import report
from edge_st_runtime.machine.cpu import cpu_features, cpu_name
from tests.support.lambda_sandbox import Sandbox

EVENT = {"input": "How do I renew the certificate?"}
WARM = 100


def main() -> None:
    """Pack, measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", help="a model folder or an installed model")
    made.add_argument("--python", default="3.13")
    made.add_argument("--rounds", type=int, default=9)
    made.add_argument("--core", type=int, default=0)
    options = made.parse_args()
    print(f"{cpu_name()}: {' '.join(sorted(cpu_features()))}; load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as scratch:
        packed = pack_lambda(options.model, Path(scratch, "packed"), python=options.python)
        print(report(packed, "x86_64", options.python, "lambda_function.lambda_handler").rpartition("\n")[0] + "\n")
        whole = Sandbox.unpack(packed.path, Path(scratch, "whole"), options.python)
        bare = _without_byte_code(whole, Path(scratch, "bare"))
        ways: Mapping[str, tuple[Sandbox, int, Mapping[str, str]]] = {
            "512 MB": (whole, 512, {}),
            "1024 MB": (whole, 1024, {}),
            "512 MB, EDGE_ST_SELF_TEST=0": (whole, 512, {"EDGE_ST_SELF_TEST": "0"}),
            "512 MB, without byte code": (bare, 512, {}),
        }
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
        for place in range(options.rounds + 1):
            for name, way in ways.items():
                measured = _run(*way, options.core)
                found[name] += [measured] if place else []
        print(table(["cold start to answer", "best s", "median s", "warm p50 ms", "peak MB"], _rows(found)))


def _rows(found: Mapping[str, list[tuple[float, float, float]]]) -> list[list[str]]:
    columns = {name: list(zip(*runs, strict=True)) for name, runs in found.items()}
    return [
        [
            name,
            f"{min(cold):.3f}",
            f"{statistics.median(cold):.3f}",
            f"{statistics.median(warm):.2f}",
            f"{max(peak):.0f}",
        ]
        for name, (cold, warm, peak) in columns.items()
    ]


def _run(sandbox: Sandbox, memory: int, variables: Mapping[str, str], core: int) -> tuple[float, float, float]:
    """Seconds to the first answer, milliseconds of a later one, and the peak in MB."""
    with sandbox.started(memory=memory, core=core, variables=variables) as function:
        function.invoke(EVENT)
        cold, warm = function.seconds, []
        for _ in range(WARM):
            began = time.perf_counter()
            function.invoke(EVENT)
            warm.append((time.perf_counter() - began) * 1e3)
        return cold, statistics.median(warm), function.peak()


def _without_byte_code(sandbox: Sandbox, folder: Path) -> Sandbox:
    """A copy of the sandbox whose layer has no byte code."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("layer", "function", "runtime"):
        shutil.copytree(sandbox.folder / name, folder / name, ignore=ignored if name == "layer" else None)
    return Sandbox(folder, sandbox.python)


if __name__ == "__main__":
    main()
