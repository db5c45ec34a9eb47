"""Run cases in child processes, with limits of time and memory: a crash or a hang ends the child, and is counted."""

import json
import os
import resource
import selectors
import subprocess
import sys
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from edge_st_runtime.errors import EdgeSTError

OUTCOMES = ("refused", "same", "told", "different", "nan", "foreign", "hang", "crash")
SECONDS, MEMORY = 10, 2**30
_AT_ONCE = 250


class Cases(Protocol):
    """A family of cases, each made by its number."""

    def prepare(self, number: int) -> str:
        """Make the files of the case; returns what was changed."""
        ...

    def outcome(self, number: int) -> tuple[str, str]:
        """The outcome and a word about it; raises what the code under test raises."""
        ...


@dataclass(frozen=True)
class Result:
    """What became of case ``number`` of ``family``: an outcome among `OUTCOMES`, what was changed, and its error."""

    family: str
    number: int
    changes: str
    outcome: str = ""
    detail: str = ""


def run(family: str, numbers: Sequence[int], processes: int = 2) -> list[Result]:
    """Run the cases ``numbers`` of ``family``: "folders" or "indexes"."""
    parts = [numbers[start : start + _AT_ONCE] for start in range(0, len(numbers), _AT_ONCE)]
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder, ThreadPoolExecutor(processes) as pool:
        root = Path(folder) / "made"
        subprocess.run([*_command("make"), family, str(root)], check=True, env=_environment(folder))
        found = pool.map(lambda part: list(_results(family, part, root, folder)), parts)
        return [result for part in found for result in part]


def _results(family: str, numbers: Sequence[int], root: Path, folder: str) -> Iterator[Result]:
    """The results of one child after another, until every case has one."""
    left = list(numbers)
    while left:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            for result in _of_a_child(family, left, root, scratch):
                left = left[1:]
                yield result


def _of_a_child(family: str, numbers: Sequence[int], root: Path, scratch: str) -> Iterator[Result]:
    """The results of a child, which ends with the first case that hangs or crashes."""
    command = [*_command("cases"), family, str(root), scratch, *map(str, numbers)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(scratch))
    assert child.stdout is not None
    prepared = Result(family, numbers[0], "the first case")
    try:
        for line in _lines(child.stdout, SECONDS):
            if not line:
                child.kill()
                words = child.communicate()[1].decode(errors="replace")[-300:]
                yield replace(prepared, outcome="hang" if line is None else "crash", detail=words)
                return
            result = Result(**json.loads(line))
            if not result.outcome:
                prepared = result
                continue
            yield result
            if result.number == numbers[-1]:
                return
    finally:
        child.kill()
        child.communicate()


def _lines(pipe: Any, seconds: float) -> Iterator[bytes | None]:
    """The lines of ``pipe``; None where none came in time (the first has more), b"" where it was closed."""
    os.set_blocking(pipe.fileno(), False)
    waiting, first = b"", True
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            while b"\n" not in waiting:
                part = pipe.read() if selector.select(seconds + 20 * first) else None
                if not part:
                    yield part
                    return
                waiting += part
            line, _, waiting = waiting.partition(b"\n")
            first = False
            yield line


def _command(do: str) -> list[str]:
    return [sys.executable, "-m", "tests.support.fuzzing", do]


def _environment(folder: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, sys.path))
    return {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": folder, "OMP_NUM_THREADS": "1", "RUST_BACKTRACE": "0"}


def run_here(family: str, cases: Cases, numbers: Iterable[int]) -> None:
    """In a child: run the cases one by one. Each is printed when it is prepared, and with its outcome."""
    for number in numbers:
        prepared = Result(family, number, cases.prepare(number))
        print(json.dumps(vars(prepared)), flush=True)
        try:
            outcome, detail = cases.outcome(number)
        except EdgeSTError as error:
            outcome, detail = "refused", f"{type(error).__name__}: {error}"
        except BaseException as error:  # noqa: BLE001 - a panic of Rust is no Exception
            outcome, detail = "foreign", _described(error)
        print(json.dumps({**vars(prepared), "outcome": outcome, "detail": detail[:1000]}), flush=True)


def bound() -> None:
    """Bound the memory of this process, beside what it has already."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _described(error: BaseException) -> str:
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "edge_st" in frame.filename]
    where = "".join(f" {Path(frame.filename).name}:{frame.lineno}" for frame in own[-3:])
    return f"{type(error).__name__}: {str(error)[:300]} [{where}]"


def table(results: Sequence[Result], row: Callable[[int], str]) -> str:
    """How often each outcome came, by the ``row`` that a case belongs to."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        counts[row(result.number)][result.outcome] += 1
    lines = ["".join(f"{name:>10}" for name in OUTCOMES) + "  cases"]
    for kind in sorted(counts):
        found = counts[kind]
        lines.append("".join(f"{found[name]:10}" for name in OUTCOMES) + f"{found.total():7}  {kind}")
    total = Counter(result.outcome for result in results)
    lines.append("".join(f"{total[name]:10}" for name in OUTCOMES) + f"{len(results):7}  all")
    return "\n".join(lines)
