"""edge-st and other libraries on one model: the same texts, the same threads, asked in turn."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.errors import EngineError, PackageMissingError
from edge_st_runtime.machine.threads import thread_count
from edge_st_runtime.model.folder import read_folder

from .peers import PEERS, TASKS, Setting
from .runner import Runner, Texts, made_files, open_own, open_peer, turn
from .sample_texts import sample_texts
from .settings import Setting as Own

_ROUNDS, _SINGLES = 4, 15
_SHORT, _MIXED = 192, 96
#: seconds between two turns, in which the threads of the first stop spinning
_PAUSE = 0.1


@dataclass(frozen=True)
class Result:
    """The figures of one runner: an edge-st variant, or a peer.

    ``short`` and ``mixed`` are texts per second and ``single_ms`` the median milliseconds of one short text, for each
    round. ``outputs`` are the vectors of the mixed texts; a reranker's scores of them.
    """

    label: str
    versions: Mapping[str, str]
    short: list[float]
    mixed: list[float]
    single_ms: list[float]
    outputs: NDArray[np.float64]

    @property
    def is_own(self) -> bool:
        """Whether it is an edge-st variant."""
        return not self.versions

    @property
    def score(self) -> float:
        """The geometric mean of three rates at best: short texts, mixed texts and single texts per second."""
        return float((max(self.short) * max(self.mixed) * 1000 / min(self.single_ms)) ** (1 / 3))


def installed_peers() -> list[str]:
    """The peers whose library is installed; raises PackageMissingError where there is none."""
    found = [label for label, peer in PEERS.items() if peer.package not in peer.missing()]
    if not found:
        *names, last = dict.fromkeys(peer.package for peer in PEERS.values())
        raise PackageMissingError(
            f"--peers needs another library in this environment: {', '.join(names)} or {last}; for example: "
            f"pip install {names[0]}"
        )
    return found


def race(
    folder: Path,
    original: Path,
    variants: Iterable[Own],
    texts: Sequence[str] | None,
    report: Callable[[str], None],
) -> list[Result]:
    """Measure the ``variants`` of a folder and the installed peers in turn (A B C A B C …), edge-st's first.

    ``original`` is the folder with the model's weights, under the model's name, for the peers that take them.
    ``report`` is told which runner is left out, and why. Raises what `installed_peers` raises, and EngineError where
    edge-st itself runs no variant.
    """
    labels, kinds = installed_peers(), list(variants)
    model_type = read_folder(folder).model_type
    (task,) = (task for task, each in TASKS.items() if each.name == model_type)
    graph = next((each.file for each in kinds if (each.engine, each.dtype) == ("onnx", "float32")), "onnx/model.onnx")
    sample = sample_texts(texts, pairs=False)
    given = Texts(_some(sample.short, _SHORT), _some(sample.mixed, _MIXED), list(_some(sample.short, _SINGLES)))
    setting = Setting(task, str(folder), str(original), graph, thread_count(), original.name, texts=tuple(given.mixed))
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        setting = replace(setting, made=made)
        runners = [Runner(stack, f"edge-st {each}", {}, (open_own, folder, task, each)) for each in kinds]
        for label in labels:
            reason = _lacks(label, setting) or made_files(label, setting)
            if reason is None:
                runners.append(Runner(stack, label, PEERS[label].versions(), (open_peer, label, setting)))
            else:
                report(f"left out: {label} ({reason})")
        found = _measured(list(_started(runners, report)), _inputs(given, task), report)
    if not any(each.is_own for each in found):
        raise EngineError(f"no variant of {folder} ran here; see: edge-st doctor")
    return found


def _lacks(label: str, setting: Setting) -> str | None:
    missing = PEERS[label].missing()
    return f"it also needs: pip install {' '.join(missing)}" if missing else PEERS[label].lacks(setting)


def _some(texts: Sequence[Any], count: int) -> list[Any]:
    """At most ``count`` of the texts, drawn evenly."""
    return list(texts[:: max(1, len(texts) // count)])[:count]


def _inputs(given: Texts, task: str) -> Texts:
    """The texts; for rerankers one query, the first short text, with the texts as its documents."""
    if task != "rerank":
        return given
    query = given.short[0]
    return Texts([(query, given.short)], [(query, given.mixed)], [[(query, [text])] for text in given.singles])


def _started(runners: Iterable[Runner], report: Callable[[str], None]) -> Iterator[Runner]:
    for runner in runners:
        report(f"opening {runner.label} …")
        try:
            runner.ask(*runner.opening)
        except RuntimeError as error:
            report(f"left out: {runner.label} ({error})")
        else:
            yield runner


def _measured(runners: list[Runner], texts: Texts, report: Callable[[str], None]) -> list[Result]:
    """Warm up, then measure in turn. A runner that fails is left out."""
    found: dict[Runner, Result] = {}
    for number in range(_ROUNDS + 1):
        for runner in runners:
            if number and runner not in found:
                continue
            time.sleep(_PAUSE)
            try:
                short, mixed, single, outputs = runner.ask(turn, texts, number == 0)
            except RuntimeError as error:
                report(f"left out: {runner.label} ({error})")
                found.pop(runner, None)
                continue
            if number == 0:
                found[runner] = Result(runner.label, runner.versions, [], [], [], outputs)
            else:
                of = found[runner]
                of.short.append(short)
                of.mixed.append(mixed)
                of.single_ms.append(single)
    return list(found.values())


def fastest_own(results: Sequence[Result]) -> Result:
    """The edge-st variant of the best `Result.score`."""
    return max((each for each in results if each.is_own), key=lambda each: each.score)


def reference(results: Sequence[Result]) -> Result:
    """The result that others are compared with: edge-st's in float32, else the original's on torch, else the first."""
    exact = [each for each in results if each.is_own and "float32" in each.label]
    torch = [each for each in results if each.label.endswith("torch")]
    return [*exact, *torch, *results][0]


def nearness(result: Result, exact: Result) -> dict[str, float]:
    """The mean and the worst cosine to the reference; of rerankers the largest difference of a score."""
    if result.outputs.ndim == 1:
        return {"score_difference": float(np.max(np.abs(result.outputs - exact.outputs)))}
    ones = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (result.outputs, exact.outputs)]
    cosines = np.sum(ones[0] * ones[1], axis=1)
    return {"cosine_mean": float(np.mean(cosines)), "cosine_min": float(np.min(cosines))}
