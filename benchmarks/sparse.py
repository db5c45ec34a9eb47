"""Sparse embeddings of long texts: edge-st's SparseEncoder beside sentence-transformers' on torch.

Run ``python benchmarks/sparse.py --tokenizer FOLDER`` with a folder that has BERT's tokenizer. The model is a SPLADE
model of BERT base's size with random weights. It is made and exported in the environment of sentence-transformers, in a
temporary folder, or in ``--model``, where a later run finds it. Every peer runs in a process of its own environment;
the peers are measured in turn on the same cores. Printed are texts per second and their ratio to torch's, resident
megabytes with the model loaded and at the peak of the process (VmHWM), and the largest difference of a weight to
torch's.
"""

import argparse
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from disturbance import disturbance
from harness import Setup, Worker, common_parser, in_turn, setup, start
from tables import comparison, reference, table
from texts import mixed, sentences

PEERS = ["edge-st onnx", "edge-st openvino", "sentence-transformers torch"]
TORCH = PEERS[-1]


def main() -> None:
    """Measure and print."""
    made = common_parser(__doc__)
    made.add_argument("--tokenizer", type=Path, required=True, help="a folder with the tokenizer of a BERT model")
    made.add_argument(
        "--model", type=Path, help="the folder with original/ and exported/, which are made if they are missing"
    )
    made.add_argument("--count", type=int, default=64, help="the number of texts")
    made.add_argument("--tokens", type=int, default=256, help="the tokens of each text")
    made.add_argument("--rounds", type=int, default=3)
    options = made.parse_args()
    with ExitStack() as stack:
        home = options.model or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options.folder, options.original = home / "exported", home / "original"
        common = setup(options, "sparse")
        _make(common, options.tokenizer.resolve())
        texts = mixed(sentences(None), [options.tokens] * options.count, options.tokenizer / "tokenizer.json")
        with disturbance(), ExitStack() as running:
            workers = [running.enter_context(Worker(common, peer)) for peer in common.available(PEERS)]
            _compare(workers, texts, options)


def _make(common: Setup, tokenizer: Path) -> None:
    """Make the original and the export where they are missing."""
    folders = map(str, (tokenizer, common.original, common.folder))
    process = start(common, "edge-st-export", "make_splade.py", *folders)
    process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "make_splade.py (BENCH_VERBOSE=1 shows why)")


def _compare(workers: list[Worker], texts: list[str], options: argparse.Namespace) -> None:
    loaded = []
    for worker in workers:
        worker.open()
        loaded.append(worker.ask("memory")["VmRSS"])
        worker.give("long", texts)
    seconds = in_turn(workers, "long", options.rounds)
    peaks = [worker.ask("memory")["VmHWM"] for worker in workers]
    weights = [worker.result("long") for worker in workers]
    exact = weights[reference([worker.peer for worker in workers], PEERS[0])]
    rates = {peer: [len(texts) / second for second in times] for peer, times in seconds.items()}
    header, *rows = comparison(f"{len(texts)} texts of {options.tokens} tokens, texts/s", rates, max, TORCH)
    for row, before, peak, found in zip(rows, loaded, peaks, weights, strict=True):
        row += [f"{before:.0f}", f"{peak:.0f}", f"{np.max(np.abs(found - exact)):.1e}"]
    print("\n" + table([*header, "loaded MB", "peak MB", "largest weight difference"], rows))
    print(f"weights of a text: {np.count_nonzero(exact, axis=1).mean():.0f} of {exact.shape[1]}")


if __name__ == "__main__":
    main()
