"""What the benchmarks share: peers as processes on the same cores, measurements in turn, and tables."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_st.speed.peers import PEERS, Setting, made_folder
from edge_st_runtime.machine.cpu import cpu_features, cpu_name, has_bfloat16

ROOT = Path(__file__).resolve().parent.parent
WORKERS = Path(__file__).resolve().parent / "workers"
ENVIRONMENTS = ROOT / ".venv-bench"
#: the environment of each peer, by its name or by the first word of it; the newest sentence-transformers has no ONNX
_OF_PEER = {
    "edge-st": "edge",
    "edge-st-export": "st5",
    "edge-st-export multi-vector": "export",
    "sentence-transformers": "st",
    "sentence-transformers onnx": "st5",
    "sentence-transformers onnx qint8": "st5",
    "sentence-transformers openvino int8": "st5",
    "fastembed": "fastembed",
    "fastretrieval": "fastretrieval",
    "candding": "candding",
    "ctranslate2": "ctranslate2",
    "llama.cpp": "llama",
    "fastapi": "fastapi",
    "infinity": "infinity",
    "faiss": "search",
    "usearch": "search",
    "fast-plaid": "plaid",
    "numpy": "edge",
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
    name: str = ""
    made: Path = Path()
    texts: tuple[str, ...] = ()

    def python(self, peer: str) -> Path:
        """The interpreter of ``peer``'s environment; that of edge-st is the current one."""
        name = _OF_PEER.get(peer) or _OF_PEER[peer.split()[0].rstrip(",")]
        if name in self.environments:
            return Path(self.environments[name], "bin", "python")
        return Path(sys.executable) if name == "edge" else ENVIRONMENTS / name / "bin" / "python"

    def opening(self, peer: str) -> dict[str, Any]:
        """The arguments of ``open_peer`` in workers/opening.py."""
        return {"peer": peer, "threads": len(self.cores), **self._model(peer)}

    def prepare(self, peer: str) -> None:
        """Make the files that ``peer`` alone needs, if they are not there; raises RuntimeError where that fails."""
        if peer not in PEERS or PEERS[peer].make is None or made_folder(peer, self.setting(peer)).is_dir():
            return
        print(f"making files for {peer} in {self.made}", file=sys.stderr)
        process = start(self, peer, "prepare.py", json.dumps(self.opening(peer)))
        process.communicate()
        if process.returncode:
            raise RuntimeError(f"no files for {peer}; run again with BENCH_VERBOSE=1 to see why")

    def setting(self, peer: str) -> Setting:
        """What ``peer``, one of the package `peers`, is opened with."""
        return Setting(threads=None, **self._model(peer))

    def _model(self, peer: str) -> dict[str, Any]:
        return {
            "task": self.task,
            "folder": "" if peer == "edge-st static" else str(self.folder),
            "original": str(self.original),
            "graph": self.graph,
            "name": self.name,
            "made": str(self.made),
            "texts": self.texts,
        }

    def available(self, peers: Sequence[str]) -> list[str]:
        """The ``peers`` that can run here; prints what the others lack."""
        return [peer for peer in peers if not self._lacks(peer)]

    def _lacks(self, peer: str) -> bool:
        lacks = None
        if not self.python(peer).is_file():
            lacks = f"no {self.python(peer)}; make it with: python benchmarks/environments.py"
        elif peer in PEERS and self.task != "search":
            lacks = PEERS[peer].lacks(self.setting(peer))
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


def add_clock(made: argparse.ArgumentParser) -> None:
    """Register ``--cpu``, which gives the ``clock`` of `in_turn`."""
    made.add_argument(
        "--cpu", action="store_const", const="cpu_", default="", help="count CPU time: for a machine with other work"
    )


def common_parser(description: str | None) -> argparse.ArgumentParser:
    """The options of all benchmarks that compare peers."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--graph", default="onnx/model.onnx", help="the ONNX file that all peers run")
    made.add_argument(
        "--threads", type=int, help="the number of cores for every peer (default: all that this process may use)"
    )
    made.add_argument("--name", help="the model's name on the Hub, for peers that know only such names")
    made.add_argument(
        "--prepared", type=Path, default=ENVIRONMENTS / "models", help="the folder for files made for peers"
    )
    made.add_argument(
        "--env", action="append", default=[], metavar="NAME=PATH", help="the environment of a peer: edge, st, …"
    )
    return made


def setup(options: argparse.Namespace, task: str = "dense") -> Setup:
    """The setup from the parsed options; ``task`` is a key of TASKS in workers/opening.py, or "search"."""
    cores = sorted(os.sched_getaffinity(0))[: options.threads]
    busy, folder = os.getloadavg()[0], options.folder.resolve()
    original = (options.original or folder).resolve()
    print(f"{cpu_name()}: {' '.join(sorted(cpu_features()))}")
    print(f"{len(cores)} cores, load {busy:.1f}" + (": other work will disturb the figures" if busy > 0.5 else ""))
    return Setup(
        environments=dict(pair.split("=", 1) for pair in options.env),
        folder=folder,
        original=original,
        graph=options.graph,
        cores=tuple(cores),
        task=task,
        name=options.name or original.name,
        made=_made(options.prepared.resolve(), folder),
    )


def _made(prepared: Path, folder: Path) -> Path:
    """The folder for this model's files, named after the model and the digest of its weights."""
    record = folder / "edge_st.json"
    digest = json.loads(record.read_text(encoding="utf-8"))["weights_sha256"][:12] if record.is_file() else "plain"
    return prepared / f"{folder.name}-{digest}"


def start(setup: Setup, peer: str, script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a worker script in ``peer``'s environment on the cores of ``setup``, with pipes for stdin and stdout."""
    paths = [ROOT / "edge_st" / "speed"]  # the package peers
    if peer.startswith("edge-st"):
        paths += [ROOT, ROOT / "runtime", ROOT / "export"]
    variables = {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(len(setup.cores)),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    return subprocess.Popen(
        ["taskset", "-c", ",".join(map(str, setup.cores)), setup.python(peer), WORKERS / script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if "BENCH_VERBOSE" in os.environ else subprocess.DEVNULL,
        env={**os.environ, **variables},
        text=True,
    )


class Worker:
    """A peer in a process of its own, which stays alive. ``label`` tells it from other workers with the same peer."""

    def __init__(self, setup: Setup, peer: str, label: str | None = None) -> None:
        self.peer, self._opening = label or peer, setup.opening(peer)
        setup.prepare(peer)
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
        """Load the model and run a first request; print the versions of the peer's packages."""
        versions = self.ask("open", **self._opening)["versions"]
        if versions:
            print(f"{self.peer}: " + ", ".join(" ".join(pair) for pair in versions.items()))

    def give(self, name: str, texts: Any) -> None:
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


def opened(stack: ExitStack, runners: Iterable[tuple[str, Setup, str]]) -> list[Worker]:
    """A worker with its model loaded for each (label, setup, peer); prints which cannot be loaded."""
    workers = []
    for label, own, peer in runners:
        try:
            worker = stack.enter_context(Worker(own, peer, label))
            worker.open()
        except RuntimeError as error:
            print(f"left out: {label} ({error})", file=sys.stderr)
        else:
            workers.append(worker)
    return workers


def in_turn(workers: Sequence[Worker], name: str, rounds: int, clock: str = "") -> dict[str, list[float]]:
    """Each peer's seconds for all inputs called ``name``, for every round; the peers take turns (A B C A B C …).

    ``clock`` "cpu_" counts the seconds that the peer computed, on all its threads: other work hardly changes them.
    """
    seconds: dict[str, list[float]] = {worker.peer: [] for worker in workers}
    for _ in range(rounds):
        for worker in workers:
            time.sleep(_PAUSE)
            seconds[worker.peer].append(worker.ask("encode", name=name)[f"{clock}seconds"])
    return seconds


def singles_in_turn(
    workers: Sequence[Worker], name: str, rounds: int, count: int, clock: str = ""
) -> dict[str, list[float]]:
    """Each peer's median milliseconds for one text, in every round of ``count`` new texts."""
    medians: dict[str, list[float]] = {worker.peer: [] for worker in workers}
    for number in range(rounds + 1):
        for worker in workers:
            time.sleep(_PAUSE)
            answer = worker.ask("single", name=name, first=number * count, count=count)
            if number:
                medians[worker.peer].append(statistics.median(answer[f"{clock}milliseconds"]))
    return medians
