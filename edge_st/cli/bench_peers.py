"""The table of ``edge-st bench --peers``."""

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_st_runtime.machine.cpu import cpu_features, cpu_name
from edge_st_runtime.machine.threads import thread_count

from .output import print_json, table

if TYPE_CHECKING:
    from ..speed.racing import Result

_HEAD = ("runner", "version", "short/s", "mixed/s", "single ms", "short x", "mixed x", "single x")


def race_and_print(folder: Path, dtype: str, texts: Sequence[str] | None, original: Path, json: bool) -> None:
    """Measure the variants of a folder in ``dtype`` beside the installed peers, and print."""
    from ..speed.racing import fastest_own, nearness, race, reference
    from ..speed.settings import settings_here

    results = race(folder, original, settings_here(folder, dtype), texts, _say)
    fastest, exact = fastest_own(results), reference(results)
    rows = [_row(each, fastest) | nearness(each, exact) for each in results]
    cpu, features, threads = cpu_name(), sorted(cpu_features()), thread_count()
    if json:
        machine = {"cpu": cpu, "cpu_features": features, "threads": threads}
        print_json({**machine, "lead_of": fastest.label, "reference": exact.label, "rows": rows})
        return
    nearby = [name.replace("_", " ") for name in nearness(exact, exact)]
    print(table([(*_HEAD, *nearby), *(_cells(row) for row in rows)]))
    print(
        f"\nx: how many times as fast {fastest.label} is (median of the rounds); {', '.join(nearby)}: to {exact.label}"
    )
    print(f"{threads} threads, {cpu}: {' '.join(features)}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _row(result: "Result", fastest: "Result") -> dict[str, Any]:
    """The best of each figure, and the lead of the fastest edge-st variant as the median of the rounds' ratios."""
    return {
        "runner": result.label,
        "versions": dict(result.versions),
        "short_per_second": round(max(result.short), 1),
        "mixed_per_second": round(max(result.mixed), 1),
        "single_ms": round(min(result.single_ms), 3),
        "short_lead": _lead(fastest.short, result.short),
        "mixed_lead": _lead(fastest.mixed, result.mixed),
        "single_lead": _lead(result.single_ms, fastest.single_ms),
    }


def _lead(first: Sequence[float], second: Sequence[float]) -> float:
    return round(statistics.median(one / other for one, other in zip(first, second, strict=True)), 3)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    versions = list(row["versions"].values())
    near = [f"{value:.5f}" for name, value in row.items() if name.startswith(("cosine", "score"))]
    return (
        row["runner"],
        versions[0] if versions else "-",
        f"{row['short_per_second']:,.0f}",
        f"{row['mixed_per_second']:,.0f}",
        f"{row['single_ms']:.2f}",
        *(f"{row[name]:.2f}" for name in ("short_lead", "mixed_lead", "single_lead")),
        *near,
    )
