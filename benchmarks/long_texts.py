"""One text of 8,192 tokens on both engines: peak memory and seconds, and how near their vectors are.

The model is the given one, of BERT's kind, with its position embeddings repeated up to 8,192, so that attention has
real weights. Engines take turns, each in a process of its own with all threads. The peak is that of the kernel (VmHWM).
It also needs safetensors.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
from harness import Worker, common_parser, in_turn, setup
from safetensors.numpy import load_file, save_file
from tables import table
from texts import mixed, sentences

from edge_st_export import convert_model

PEERS = ("edge-st onnx", "edge-st openvino")
POSITIONS = "embeddings.position_embeddings.weight"


def main() -> None:
    """Measure and print."""
    made = common_parser(__doc__)
    made.add_argument(
        "original", type=Path, help="the folder of a BERT with model.safetensors, such as all-MiniLM-L6-v2"
    )
    made.add_argument("--tokens", type=int, default=8192)
    made.add_argument("--rounds", type=int, default=3)
    options = made.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        options.folder = _lengthened(options.original, Path(scratch), options.tokens)
        _measure(options)


def _lengthened(original: Path, scratch: Path, tokens: int) -> Path:
    """The original with so many positions, as an edge-st folder."""
    copy = shutil.copytree(original, scratch / "original")
    tensors = load_file(copy / "model.safetensors")
    tensors[POSITIONS] = np.resize(tensors[POSITIONS], (tokens, tensors[POSITIONS].shape[1]))
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    changes = {"config.json": "max_position_embeddings", "sentence_bert_config.json": "max_seq_length"}
    for file, key in changes.items():
        settings = json.loads((copy / file).read_text(encoding="utf-8"))
        (copy / file).write_text(json.dumps({**settings, key: tokens}), encoding="utf-8")
    return convert_model(copy, scratch / "model").path


def _measure(options: argparse.Namespace) -> None:
    common = setup(options)
    text = mixed(sentences(None), [options.tokens], common.folder / "tokenizer.json")
    with Worker(common, PEERS[0]) as onnx, Worker(common, PEERS[1]) as openvino:
        workers = [onnx, openvino]
        for worker in workers:
            worker.give("long", text)
            worker.open()
        vectors = [worker.result("long")[0].astype(np.float64) for worker in workers]
        seconds = in_turn(workers, "long", options.rounds)
        peaks = [worker.ask("memory")["VmHWM"] for worker in workers]
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    rows = [
        [peer, f"{peak:.0f}", f"{min(found):.2f}", f"{statistics.median(found):.2f}"]
        for (peer, found), peak in zip(seconds.items(), peaks, strict=True)
    ]
    print(table([f"one text of {options.tokens} tokens", "peak MB", "best s", "median s"], rows))
    lengths = np.linalg.norm(vectors[0]) * np.linalg.norm(vectors[1])
    print(
        f"{' / '.join(PEERS)}: memory {peaks[0] / peaks[1]:.2f}, seconds {statistics.median(ratios):.2f} (median of "
        f"rounds), 1 - cosine {1 - vectors[0] @ vectors[1] / lengths:.1e}"
    )


if __name__ == "__main__":
    main()
