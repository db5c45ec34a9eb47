"""Seconds from the start of the interpreter to the first vector, and peak memory by then.

Whole processes are run in turn (A B C A B C …) on the same cores. The first run of each is not counted.
"""

import json
import statistics
import time
from collections.abc import Sequence

from disturbance import disturbance
from harness import Setup, parser, setup, start
from tables import table

PEERS = [
    "edge-st onnx",
    "edge-st onnx int8",
    "edge-st openvino",
    "edge-st openvino int8",
    "edge-st static",
    "sentence-transformers onnx",
    "sentence-transformers openvino",
    "fastembed",
]


def main() -> None:
    """Measure and print."""
    made = parser(__doc__)
    made.add_argument("--rounds", type=int, default=7)
    options = made.parse_args()
    common = setup(options)
    with disturbance():
        found = starts([(peer, common, peer) for peer in common.available(PEERS)], options.rounds)
    print("\n" + table(*found))


def starts(peers: Sequence[tuple[str, Setup, str]], rounds: int) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a table for peers given as (label, setup, peer)."""
    found: dict[str, list[tuple[float, float]]] = {label: [] for label, _, _ in peers}
    for number in range(rounds + 1):
        for label, own, peer in peers:
            measured = _run(own, peer)
            if number:
                found[label].append(measured)
    seconds = {label: [first for first, _ in runs] for label, runs in found.items()}
    columns = [label for label in ("sentence-transformers onnx", "fastembed") if label in found]
    rows = [
        [
            label,
            f"{min(times):.3f}",
            f"{statistics.median(times):.3f}",
            f"{max(peak for _, peak in found[label]):.0f}",
            *(f"1/{min(seconds[other]) / min(times):.1f}" for other in columns),
        ]
        for label, times in seconds.items()
    ]
    return ["first vector after", "best s", "median s", "peak MB", *(f"best / {other}" for other in columns)], rows


def _run(common: Setup, peer: str) -> tuple[float, float]:
    began = time.perf_counter()
    process = start(common, peer, "first_vector.py", json.dumps(common.opening(peer)))
    assert process.stdout is not None
    ready = process.stdout.readline()
    seconds = time.perf_counter() - began
    peak = process.stdout.readline()
    process.communicate()
    if not ready:
        raise RuntimeError(f"{peer} gave no vector; run again with BENCH_VERBOSE=1 to see why")
    return seconds, float(peak)


if __name__ == "__main__":
    main()
