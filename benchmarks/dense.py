"""Texts per second and the time of one text: edge-st beside every peer.

Every peer runs in a process of its own environment; the peers are measured in turn (A B C A B C …) on the same cores.
Short texts are drawn from the source. Mixed texts have 12 to 256 tokens; every length is equally likely. The source is
Python's documentation, or the file of ``--texts`` (.tsv: every column that is not a number; else one text per line).
"""

import argparse
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from disturbance import disturbance
from harness import Setup, Worker, add_clock, in_turn, opened, parser, setup, singles_in_turn
from measures import cosines
from tables import comparison, reference, table
from texts import even_lengths, mixed, sentences, short

PEERS = [
    "edge-st onnx",
    "edge-st openvino",
    "edge-st onnx int8",
    "edge-st openvino int8",
    "sentence-transformers torch",
    "sentence-transformers onnx",
    "sentence-transformers onnx qint8",
    "sentence-transformers openvino",
    "sentence-transformers openvino int8",
    "fastembed",
    "fastembed, batches of 32",
    "fastretrieval",
    "candding",
    "ctranslate2 int8",
    "llama.cpp F32",
    "llama.cpp Q8_0",
]
SINGLES = 40
UNITS = {"": "s", "cpu_": "CPU s"}
#: texts for the calibration of sentence-transformers' static int8
CALIBRATION = 300


def main() -> None:
    """Measure and print."""
    made = parser(__doc__)
    made.add_argument("--texts", type=Path, help=".tsv or .txt file of real texts")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--short", type=int, default=1000, help="the number of short texts")
    made.add_argument("--mixed", type=int, default=384, help="the number of mixed texts")
    made.add_argument(
        "--against", default="sentence-transformers onnx", choices=PEERS, help="the peer that ratios refer to"
    )
    add_clock(made)
    made.add_argument("--peer", action="append", choices=PEERS, help="default: all; repeatable")
    options = made.parse_args()
    common = setup(options)
    loads = _loads(options, common)
    common = replace(common, texts=tuple(loads["short"][:CALIBRATION]))
    with disturbance(), ExitStack() as stack:
        workers = opened(stack, [(peer, common, peer) for peer in common.available(options.peer or PEERS)])
        for worker in workers:
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
    exact = reference([worker.peer for worker in workers], options.against)
    vectors = [worker.result(name) for worker in workers]
    seconds = in_turn(workers, name, options.rounds, options.cpu)
    rates = {peer: [len(texts) / second for second in found] for peer, found in seconds.items()}
    header, *rows = comparison(f"{len(texts)} {name} texts, texts/{UNITS[options.cpu]}", rates, max, options.against)
    least = [f"{np.min(cosines(found, vectors[exact])):.6f}" for found in vectors]
    print("\n" + table([*header, "min cosine"], [[*row, cosine] for row, cosine in zip(rows, least, strict=True)]))


def _one_text(workers: list[Worker], options: argparse.Namespace) -> None:
    medians = singles_in_turn(workers, "short", options.rounds, SINGLES, options.cpu)
    header, *rows = comparison(
        f"one short text, p50 {UNITS[options.cpu].replace('s', 'ms')}", medians, min, options.against
    )
    print("\n" + table(header, rows))


if __name__ == "__main__":
    main()
