"""The results of benchmarks/serve.py as tables. Rates are medians of rounds, percentiles are those of all rounds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from http_load import Answers
from services import Memory
from tables import table

SMALL, BULK = 0, -1


@dataclass
class Run:
    """What one service did: in each phase and round, what each kind of client got; small requests come before bulk.

    ``encode`` are the texts per second of the same model without a service, for each round; for peers there are none.
    ``cosine`` is the worst one to float32, ``difference`` the largest difference to what `encode` gives.
    """

    label: str
    phases: dict[str, list[list[Answers]]] = field(default_factory=dict)
    encode: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    idle: Memory | None = None
    loaded: Memory | None = None

    def rates(self, phase: str, kind: int) -> list[float]:
        """Texts per second in each round."""
        return [answers[kind].rate for answers in self.phases[phase]]

    def rate(self, phase: str, kind: int) -> float:
        """The median of `rates`."""
        return statistics.median(self.rates(phase, kind))

    def percentiles(self, phase: str) -> tuple[float, float]:
        """p50 and p99 of small requests, in milliseconds."""
        found = [each for answers in self.phases[phase] for each in answers[SMALL].milliseconds]
        p50, p99 = np.percentile(found, (50, 99))
        return float(p50), float(p99)


def many_table(runs: Sequence[Run]) -> str:
    """64 clients at once, and `encode` beside it; for every peer, how many times as fast edge-st is."""
    able = [run for run in runs if "many" in run.phases]
    own, peers = [run for run in able if run.encode], [run for run in able if not run.encode]
    header = ["64 clients, a text each", "texts/s", "p50 ms", "p99 ms", "encode, all at once", "share of encode"]
    rows = []
    for run in able:
        row = [run.label, f"{run.rate('many', SMALL):.0f}", *_two(run.percentiles("many"))]
        if run.encode:
            shares = [one / other for one, other in zip(run.rates("many", SMALL), run.encode, strict=True)]
            row += [f"{statistics.median(run.encode):.0f}", f"{statistics.median(shares):.0%}"]
        rows.append([*row, *["–"] * (len(header) - len(row))])
    return "\n".join([table(header, rows), *(_against(run, peers) for run in own if peers)])


def beside_table(runs: Sequence[Run], phase: str, title: str) -> str:
    """Small requests of a phase on the idle service and beside bulk, and what bulk keeps of its rate."""
    beside = f"{phase} beside bulk"
    header = [title, "p50 ms", "p99 ms", "p50 beside", "p99 beside", "p99 ratio", "bulk texts/s", "beside", "kept"]
    header += ["all texts/s beside"]
    rows = []
    for run in runs:
        if not {phase, beside, "bulk"} <= run.phases.keys():
            continue
        alone, with_bulk = run.percentiles(phase), run.percentiles(beside)
        bulk, kept = run.rates("bulk", BULK), run.rates(beside, BULK)
        share = statistics.median(one / other for one, other in zip(kept, bulk, strict=True))
        whole = statistics.median(a + b for a, b in zip(kept, run.rates(beside, SMALL), strict=True))
        row = [run.label, *_two(alone), *_two(with_bulk), f"{with_bulk[1] / alone[1]:.1f}"]
        rows.append([*row, f"{statistics.median(bulk):.0f}", f"{statistics.median(kept):.0f}", f"{share:.0%}"])
        rows[-1].append(f"{whole:.0f}")
    return table(header, rows)


def http_table(found: Mapping[tuple[str, str, int], list[Answers]]) -> str:
    """The bundled model, by service, format and clients; the other service answers a constant of the same length."""
    header = ["the bundled model: HTTP", "requests/s", "p50 ms", "p99 ms", "µs of a request more than a constant"]
    rows = []
    for (label, form, clients), rounds in found.items():
        rate = statistics.median(answers.rate for answers in rounds)
        p50, p99 = np.percentile([each for answers in rounds for each in answers.milliseconds], (50, 99))
        more = "–"
        if label != "constant":
            least = statistics.median(answers.rate for answers in found["constant", form, clients])
            more = f"{1e6 / rate - 1e6 / least:.0f}"
        rows.append([f"{label}, {form}, {clients} clients", f"{rate:.0f}", *_two((float(p50), float(p99))), more])
    return table(header, rows)


def start_table(runs: Sequence[Run]) -> str:
    """Seconds from the start to the first answer, and megabytes of all processes."""
    header = ["start and memory", "best s", "median s", "idle MB", "proportional", "under load", "proportional", "peak"]
    rows = []
    for run in runs:
        row = [run.label, f"{min(run.starts):.2f}", f"{statistics.median(run.starts):.2f}"]
        for memory in (run.idle, run.loaded):
            row += ["–", "–"] if memory is None else [f"{memory.resident:.0f}", f"{memory.proportional:.0f}"]
        rows.append([*row, "–" if run.loaded is None else f"{run.loaded.peak:.0f}"])
    return table(header, rows)


def _against(run: Run, peers: Sequence[Run]) -> str:
    told = []
    for other in peers:
        pairs = zip(run.rates("many", SMALL), other.rates("many", SMALL), strict=True)
        told.append(f"{statistics.median(one / slow for one, slow in pairs):.2f} × {other.label}")
    return f"{run.label}, texts/s: {', '.join(told)}"


def _two(values: tuple[float, float]) -> list[str]:
    return [f"{value:.2f}" for value in values]
