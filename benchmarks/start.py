"""From the start of the interpreter to the first vector, and the peak of memory by then.

Whole processes, run in turn (A B C A B C …) on the same cores after one unmeasured run each.
"""

import json
import statistics
import time

from harness import Setup, disturbance, parser, setup, start, table

PEERS = [
    "edge-st onnx",
    "edge-st openvino",
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
    peers = common.available(PEERS)
    found: dict[str, list[tuple[float, float]]] = {peer: [] for peer in peers}
    with disturbance():
        for number in range(options.rounds + 1):
            for peer in peers:
                measured = _run(common, peer)
                if number:
                    found[peer].append(measured)
    seconds = {peer: [first for first, _ in runs] for peer, runs in found.items()}
    columns = [peer for peer in ("sentence-transformers onnx", "fastembed") if peer in peers]
    rows = [
        [
            peer,
            f"{min(times):.3f}",
            f"{statistics.median(times):.3f}",
            f"{max(peak for _, peak in found[peer]):.0f}",
            *(f"1/{min(seconds[other]) / min(times):.1f}" for other in columns),
        ]
        for peer, times in seconds.items()
    ]
    print(table(["first vector after", "best s", "median s", "peak MB", *(f"best / {peer}" for peer in columns)], rows))


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
