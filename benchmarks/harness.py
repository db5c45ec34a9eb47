"""What the benchmarks share: peers as processes on the same cores, measurements in turn, and tables."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.machine.cpu import cpu_features, cpu_name, has_bfloat16

ROOT = Path(__file__).resolve().parent.parent
WORKERS = Path(__file__).resolve().parent / "workers"
ENVIRONMENTS = ROOT / ".venv-bench"
Best = Callable[[list[float]], float]
_OF_PEER = {
    "edge-st": "edge",
    "edge-st-export": "st",
    "sentence-transformers": "st",
    "fastembed": "fastembed",
    "ctranslate2": "ctranslate2",
    "llama.cpp": "llama",
    "faiss": "search",
    "usearch": "search",
}
_INT8 = {"edge-st onnx int8": "onnx/model_int8.onnx", "edge-st openvino int8": "openvino/openvino_model_int8.xml"}
#: seconds between two peers' turns, so that the threads of the first stop spinning
_PAUSE = 0.25


@dataclass(frozen=True)
class Setup:
    """The common options: the peers' environments, the model that they open, and the cores that they use."""

    environments: dict[str, str]
    folder: Path
    original: Path
    graph: str
    cores: tuple[int, ...]
    task: str = "dense"

    def python(self, peer: str) -> Path:
        """The interpreter of ``peer``'s environment; that of edge-st is the current one."""
        name = _OF_PEER[peer.split()[0].rstrip(",")]
        if name in self.environments:
            return Path(self.environments[name], "bin", "python")
        return Path(sys.executable) if name == "edge" else ENVIRONMENTS / name / "bin" / "python"

    def opening(self, peer: str) -> dict[str, Any]:
        """The arguments of ``open_peer`` in workers/peers.py."""
        folder = "" if peer == "edge-st static" else str(self.folder)
        return {
            "peer": peer,
            "task": self.task,
            "folder": folder,
            "original": str(self.original),
            "graph": self.graph,
            "threads": len(self.cores),
        }

    def available(self, peers: Sequence[str]) -> list[str]:
        """The ``peers`` that can run here; prints what the others lack."""
        return [peer for peer in peers if not self._lacks(peer)]

    def _lacks(self, peer: str) -> bool:
        lacks = None
        if not self.python(peer).is_file():
            lacks = f"no {self.python(peer)}; make it with: python benchmarks/environments.py"
        elif peer.endswith("torch") and not list(self.original.glob("*.safetensors")):
            lacks = f"no model.safetensors in {self.original}; name the folder that has it with --original"
        elif peer == "edge-st onnx" and not (self.folder / self.graph).is_file():
            lacks = f"no {self.graph} in {self.folder}"
        elif "openvino" in peer and not list(self.folder.glob("openvino/*.xml")):
            lacks = f"no openvino/*.xml in {self.folder}"
        elif peer in _INT8 and not (self.folder / _INT8[peer]).is_file():
            lacks = f"no {_INT8[peer]} in {self.folder}; export it with --dtype int8"
        elif peer == "edge-st openvino bfloat16" and not has_bfloat16():
            lacks = "this CPU does not compute in bfloat16"
        if lacks:
            print(f"left out: {peer} ({lacks})", file=sys.stderr)
        return lacks is not None


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options of benchmarks that compare peers on an exported model."""
    made = common_parser(description)
    made.add_argument("folder", type=Path, help="an exported model folder with onnx/ and openvino/")
    made.add_argument("--original", type=Path, help="the original model, for the torch peer (default: the same folder)")
    return made


def common_parser(description: str | None) -> argparse.ArgumentParser:
    """The options of all benchmarks that compare peers."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--graph", default="onnx/model.onnx", help="the ONNX file that all peers run")
    made.add_argument(
        "--threads", type=int, help="the number of cores for every peer (default: all that this process may use)"
    )
    made.add_argument(
        "--env", action="append", default=[], metavar="NAME=PATH", help="the environment of a peer: edge, st, …"
    )
    return made


def setup(options: argparse.Namespace, task: str = "dense") -> Setup:
    """The setup from the parsed options; ``task`` is a key of TASKS in workers/peers.py, or "search"."""
    cores = sorted(os.sched_getaffinity(0))[: options.threads]
    busy = os.getloadavg()[0]
    print(f"{len(cores)} cores, load {busy:.1f}" + (": other work will disturb the figures" if busy > 0.5 else ""))
    print(f"CPU: {cpu_name()}; {' '.join(sorted(cpu_features())) or 'features not known'}")
    return Setup(
        environments=dict(pair.split("=", 1) for pair in options.env),
        folder=options.folder.resolve(),
        original=(options.original or options.folder).resolve(),
        graph=options.graph,
        cores=tuple(cores),
        task=task,
    )


def start(setup: Setup, peer: str, script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a worker script in ``peer``'s environment on the cores of ``setup``, with pipes for stdin and stdout."""
    variables = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(len(setup.cores))}
    if peer.startswith("edge-st"):
        variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "runtime"), str(ROOT / "export")])
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(
        ["taskset", "-c", ",".join(map(str, setup.cores)), setup.python(peer), WORKERS / script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if "BENCH_VERBOSE" in os.environ else subprocess.DEVNULL,
        env={**inherited, **variables},
        text=True,
    )


class Worker:
    """A peer in a process of its own, which stays alive. ``label`` tells it from other workers with the same peer."""

    def __init__(self, setup: Setup, peer: str, label: str | None = None) -> None:
        self.peer, self._opening = label or peer, setup.opening(peer)
        self._process = start(setup, peer, "serve.py")

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request to workers/serve.py and return the answer; raises RuntimeError where the worker died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.peer} failed in {do!r}; run again with BENCH_VERBOSE=1 to see why")
        found: dict[str, Any] = json.loads(answer)
        return found

    def open(self) -> None:
        """Load the model and run a first request."""
        self.ask("open", **self._opening)

    def give(self, name: str, texts: Sequence[Any]) -> None:
        """Send ``texts``, or other inputs that JSON can hold, under ``name``."""
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(texts, file)
            file.flush()
            self.ask("load_texts", name=name, file=file.name)

    def result(self, name: str) -> NDArray[Any]:
        """The model's output for all inputs that were given as ``name``."""
        with tempfile.NamedTemporaryFile(suffix=".npy") as file:
            self.ask("encode", name=name, save=file.name)
            found: NDArray[Any] = np.load(file.name)
        return found

    def __enter__(self) -> Self:
        """The worker itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the process."""
        self._process.communicate()


def in_turn(workers: Sequence[Worker], name: str, rounds: int) -> dict[str, list[float]]:
    """Each peer's seconds for all inputs called ``name``, for every round; the peers take turns (A B C A B C …)."""
    seconds: dict[str, list[float]] = {worker.peer: [] for worker in workers}
    for _ in range(rounds):
        for worker in workers:
            time.sleep(_PAUSE)
            seconds[worker.peer].append(worker.ask("encode", name=name)["seconds"])
    return seconds


def singles_in_turn(workers: Sequence[Worker], name: str, rounds: int, count: int) -> dict[str, list[float]]:
    """Each peer's median milliseconds for one text, in every round of ``count`` new texts."""
    medians: dict[str, list[float]] = {worker.peer: [] for worker in workers}
    for number in range(rounds + 1):
        for worker in workers:
            time.sleep(_PAUSE)
            answer = worker.ask("single", name=name, first=number * count, count=count)
            if number:
                medians[worker.peer].append(statistics.median(answer["milliseconds"]))
    return medians


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A text table; the first column is aligned to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rest = [[cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)] for line in lines]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *cells]) for line, cells in zip(lines, rest, strict=True))


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *rows))


def comparison(title: str, found: dict[str, list[float]], best: Best, *against: str) -> list[list[str]]:
    """The header and the rows of a table: each peer's best and median, and their ratios to the peers ``against``."""
    others = [peer for peer in against if peer in found]
    header = [title, "best", "median"]
    for other in others:
        header += [f"best / {other}", "median of rounds' ratios"]
    rows = []
    for peer, values in found.items():
        row = [peer, f"{best(values):.2f}", f"{statistics.median(values):.2f}"]
        for other in others:
            ratios = [value / reference for value, reference in zip(values, found[other], strict=True)]
            row += [f"{best(values) / best(found[other]):.2f}", f"{statistics.median(ratios):.2f}"]
        rows.append(row)
    return [header, *rows]


def reference(peers: Sequence[str], otherwise: str) -> int:
    """The position of the peer whose results are the reference: torch if it runs, else ``otherwise``."""
    exact = "sentence-transformers torch"
    return peers.index(exact if exact in peers else otherwise if otherwise in peers else peers[0])
