"""Texts a second and the time of one text: edge-st beside sentence-transformers and fastembed.

Every peer is a process of its own environment, kept alive and asked in turn (A B C A B C …) on the same cores. Short
texts are drawn from the source; mixed ones have 12 to 256 tokens, each length as likely as the others. The source is
Python's documentation, or the texts of ``--texts`` (.tsv: every column that is not a number; else a text a line).
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from harness import Setup, Worker, parser, setup, table
from texts import even_lengths, mixed, sentences, short

PEERS = [
    "edge-st onnx",
    "edge-st openvino",
    "sentence-transformers torch",
    "sentence-transformers onnx",
    "sentence-transformers openvino",
    "fastembed",
    "fastembed, batches of 32",
]
SINGLES = 40


def main() -> None:
    """Measure and print."""
    made = parser(__doc__)
    made.add_argument("--texts", type=Path, help=".tsv or .txt file of real texts")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--short", type=int, default=1000, help="how many short texts")
    made.add_argument("--mixed", type=int, default=384, help="how many mixed texts")
    made.add_argument("--against", default="sentence-transformers onnx", choices=PEERS, help="the peer of the ratios")
    options = made.parse_args()
    common = setup(options)
    loads = _loads(options, common)
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(common, peer)) for peer in common.available(PEERS)]
        for worker in workers:
            worker.open()
            for name, texts in loads.items():
                worker.give(name, texts)
        for name, texts in loads.items():
            _throughput(name, texts, workers, options)
        _one_text(workers, options)


def _loads(options: argparse.Namespace, common: Setup) -> dict[str, list[str]]:
    source = sentences(options.texts)
    lengths = even_lengths(options.mixed, 12, 256)
    return {
        "short": short(source, options.short),
        "mixed": mixed(source, lengths, common.folder / "tokenizer.json"),
    }


def _throughput(name: str, texts: list[str], workers: list[Worker], options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{i}.npy") for i in range(len(workers))]
        for worker, file in zip(workers, files, strict=True):
            worker.ask("encode", name=name, save=str(file))
        agreement = _agreement([np.load(file) for file in files], _reference(workers, options.against))
    seconds: dict[str, list[float]] = {worker.peer: [] for worker in workers}
    for _ in range(options.rounds):
        for worker in workers:
            seconds[worker.peer].append(worker.ask("encode", name=name)["seconds"])
    rates = {peer: [len(texts) / second for second in found] for peer, found in seconds.items()}
    title = f"{len(texts)} {name} texts, texts/s"
    print(f"\n{_ratios(title, rates, max, options.against, [f'{cosine:.6f}' for cosine in agreement])}")


def _one_text(workers: list[Worker], options: argparse.Namespace) -> None:
    times: dict[str, list[list[float]]] = {worker.peer: [] for worker in workers}
    for number in range(options.rounds + 1):
        for worker in workers:
            answer = worker.ask("single", name="short", first=number * SINGLES, count=SINGLES)
            if number:
                times[worker.peer].append(answer["milliseconds"])
    medians = {peer: [statistics.median(block) for block in blocks] for peer, blocks in times.items()}
    print(f"\n{_ratios('one short text, p50 ms', medians, min, options.against, [''] * len(workers))}")


def _ratios(title: str, found: dict[str, list[float]], best: type[max] | type[min], against: str, last: list[str]) -> str:
    other = found.get(against)
    rows = []
    for (peer, values), extra in zip(found.items(), last, strict=True):
        middle = statistics.median(values)
        ratios = [] if other is None else list(_paired(values, other))
        rows.append(
            [
                peer,
                f"{best(values):.2f}",
                f"{middle:.2f}",
                "" if other is None else f"{best(values) / best(other):.2f}",
                "" if other is None else f"{statistics.median(ratios):.2f}",
                extra,
            ]
        )
    return table([title, "best", "median", f"best / {against}", "median of rounds' ratios", "min cosine"], rows)


def _paired(values: list[float], other: list[float]) -> Iterator[float]:
    return (value / reference for value, reference in zip(values, other, strict=True))


def _reference(workers: list[Worker], against: str) -> int:
    peers = [worker.peer for worker in workers]
    exact = "sentence-transformers torch"
    return peers.index(exact if exact in peers else against if against in peers else peers[0])


def _agreement(vectors: list[np.ndarray], reference: int) -> list[float]:
    """The least cosine of each peer's vectors to the reference's."""
    units = [array / np.linalg.norm(array, axis=1, keepdims=True) for array in vectors]
    return [float(np.min(np.sum(unit * units[reference], axis=1))) for unit in units]


if __name__ == "__main__":
    main()
