"""Resident memory while many texts of mixed lengths are encoded in several rounds.

Lengths are lognormal (median 60) between 3 and 512 tokens, and every thousandth text has 8,000. The texts are in memory
before the model is loaded, so that the memory above the loaded model is that of encoding. It includes the result of a
round (20,000 × 384 float32: 31 MB). The peak is that of the kernel (VmHWM), reset before every round.
"""

from pathlib import Path

from harness import Setup, Worker, parser, setup
from tables import table
from texts import lognormal_lengths, mixed, sentences

EDGE = ["edge-st onnx", "edge-st openvino", "edge-st onnx int8", "edge-st openvino int8"]
PEERS = [*EDGE, "sentence-transformers onnx", "fastembed"]


def main() -> None:
    """Measure and print."""
    made = parser(__doc__)
    made.add_argument("--texts", type=Path, help=".tsv or .txt file of real texts")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--count", type=int, default=20_000)
    made.add_argument("--peer", action="append", choices=PEERS, help="default: edge-st's; repeatable")
    options = made.parse_args()
    common = setup(options)
    lengths = lognormal_lengths(options.count, median=60, least=3, most=512)
    lengths[::1000] = [8000] * len(lengths[::1000])
    texts = mixed(sentences(options.texts), lengths, common.folder / "tokenizer.json")
    rows = [_measure(common, peer, texts, options.rounds) for peer in common.available(options.peer or EDGE)]
    header = [f"{options.count} texts, resident MB", "loaded", "peak of each round", "most above", "after", "texts/s"]
    print(table(header, rows))


def _measure(common: Setup, peer: str, texts: list[str], rounds: int) -> list[str]:
    with Worker(common, peer) as worker:
        worker.give("mixed", texts)
        worker.open()
        loaded = worker.ask("memory")["VmRSS"]
        peaks, seconds = [], []
        for _ in range(rounds):
            worker.ask("memory", reset_peak=True)
            seconds.append(worker.ask("encode", name="mixed")["seconds"])
            peaks.append(worker.ask("memory")["VmHWM"])
        after = worker.ask("memory")["VmRSS"]
    each = " ".join(f"{peak:.0f}" for peak in peaks)
    rate = f"{len(texts) / min(seconds):.0f}"
    return [peer, f"{loaded:.0f}", each, f"{max(peaks) - loaded:+.0f}", f"{after:.0f}", rate]


if __name__ == "__main__":
    main()
