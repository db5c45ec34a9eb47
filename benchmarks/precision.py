"""Speed and quality in every precision: edge-st in float32, bfloat16 and int8 beside its peers in theirs.

Run ``python benchmarks/precision.py EXPORTED --original ORIGINAL --sts sts-dev.tsv --squad SQUAD`` with a folder that
``edge-st export MODEL EXPORTED --dtype int8`` wrote. Every peer runs in a process of its own environment; the peers are
measured in turn on the same cores. Peers that are not installed are left out. Files that a peer needs, such as
sentence-transformers' int8 graphs, are made with the peer's own tools and kept in ``--prepared``. Short texts have 16
to 32 tokens (24 on average), mixed texts 12 to 256. Cosines are to sentence-transformers on torch in float32. The share
of the limit is relative to the texts per second that the machine's matrix multiplication in this precision would allow.
On a busy machine, measure with ``--cpu --threads 1``: then CPU seconds count.
"""

import argparse
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from disturbance import disturbance
from harness import Setup, Worker, add_clock, common_parser, in_turn, setup, singles_in_turn
from harness import start as process
from limits import Limits, mean_tokens, measured
from quality import Data, qualities, read
from report import Row, header, ratios, write_chart
from start import starts
from tables import markdown, table
from texts import even_lengths, mixed, sentences, short
from variants import TORCH, Variant, Wanted, opened_variants, variants

SINGLES = 40
CALIBRATION = 300
#: a model of BERT base's size takes eight times as long for a text
BASE_SHARE = 8


def main() -> None:
    """Measure, print and write."""
    options = _options()
    common = setup(options)
    if options.base:
        common = _base(common, options.prepared)
    calibration = short(sentences(options.calibration), CALIBRATION // _less(options))
    common = replace(common, texts=tuple(calibration))
    others = {name: Path(path) for name, _, path in (pair.partition("=") for pair in options.folders)}
    found = variants(common, Wanted(others, options.without))
    loads = _loads(options, common)
    data = read(options.sts, options.squad, options.paragraphs, options.scifact, _less(options))
    limits = measured(common, options.cpu)
    with disturbance():
        rows = _measure(found, loads, data, options.rounds, options.cpu)
        limits = limits.or_better(measured(common, options.cpu))
        begun = (
            starts([(each.label, each.setup, each.peer) for each in found], options.rounds) if options.start else None
        )
    _report(rows, limits, {name: mean_tokens(texts, common.folder) for name, texts in loads.items()}, options)
    if begun:
        names, seconds = begun
        print("\n" + table(names, seconds))


def _options() -> argparse.Namespace:
    made = common_parser(__doc__)
    made.add_argument("folder", type=Path, help="a folder exported with --dtype int8")
    made.add_argument("--original", type=Path, help="the original folder, for torch, CTranslate2 and llama.cpp")
    made.add_argument(
        "--folder", action="append", default=[], dest="folders", metavar="NAME=PATH", help="another exported folder"
    )
    made.add_argument(
        "--base", action="store_true", help="a BERT base with random weights, made with FOLDER's tokenizer"
    )
    made.add_argument("--sts", type=Path, required=True, help="score TAB text TAB text; texts are drawn from it")
    made.add_argument("--squad", type=Path, required=True, help="SQuAD in BEIR's layout, whose paragraphs are compared")
    made.add_argument("--scifact", type=Path, help="SciFact in BEIR's layout, to add nDCG@10 on its split train (slow)")
    made.add_argument("--calibration", type=Path, help="calibration texts for sentence-transformers' int8 on OpenVINO")
    made.add_argument("--without", action="append", default=[], help="leave out variants whose name contains this")
    made.add_argument("--rounds", type=int, default=4)
    add_clock(made)
    made.add_argument("--short", type=int, default=600, help="the number of short texts")
    made.add_argument("--mixed", type=int, default=192, help="the number of mixed texts")
    made.add_argument("--paragraphs", type=int, default=500, help="the number of SQuAD's paragraphs that are compared")
    made.add_argument("--start", action="store_true", help="also measure seconds to the first vector, and peak memory")
    made.add_argument("--markdown", type=Path, help="also write the table to this file")
    made.add_argument("--chart", type=Path, help="draw speed against quality: .svg or .png")
    return made.parse_args()


def _measure(found: list[Variant], loads: dict[str, list[str]], data: Data, rounds: int, clock: str) -> list[Row]:
    with ExitStack() as stack:
        workers = opened_variants(stack, found)
        by_label = {variant.label: worker for variant, worker in workers.items()}
        reference = TORCH if TORCH in by_label else next(iter(by_label))
        print(f"{len(workers)} variants; cosines are to {reference}", file=sys.stderr)
        good = qualities(by_label, reference, data)
        rates = {name: _rates(list(workers.values()), name, texts, rounds, clock) for name, texts in loads.items()}
        singles = singles_in_turn(list(workers.values()), "short", rounds, SINGLES, clock)
    return [
        Row(each, rates["short"][each.label], rates["mixed"][each.label], singles[each.label], good[each.label])
        for each in workers
    ]


def _rates(workers: list[Worker], name: str, texts: list[str], rounds: int, clock: str) -> dict[str, list[float]]:
    for worker in workers:
        worker.give(name, texts)
    in_turn(workers, name, 1)
    seconds = in_turn(workers, name, rounds, clock)
    return {peer: [len(texts) / each for each in times] for peer, times in seconds.items()}


def _loads(options: argparse.Namespace, common: Setup) -> dict[str, list[str]]:
    source, tokenizer = sentences(options.sts), common.folder / "tokenizer.json"
    counts = {"short": (options.short, 16, 32), "mixed": (options.mixed, 12, 256)}
    return {
        name: mixed(source, even_lengths(count // _less(options), least, most), tokenizer)
        for name, (count, least, most) in counts.items()
    }


def _less(options: argparse.Namespace) -> int:
    return BASE_SHARE if options.base else 1


def _base(common: Setup, prepared: Path) -> Setup:
    """The same with the folders of a model with random weights, which are made if they are missing."""
    folder = prepared.resolve() / "base"
    original, exported = folder / "original", folder / "exported"
    if not exported.is_dir():
        print(f"making {exported}: minutes", file=sys.stderr)
        worker = process(common, "edge-st-export", "make_base.py", str(common.folder), str(original), str(exported))
        worker.communicate()
        if worker.returncode:
            raise subprocess.CalledProcessError(worker.returncode, "workers/make_base.py (BENCH_VERBOSE=1 shows why)")
    return replace(common, folder=exported, original=original, made=folder / "peers")


def _report(rows: list[Row], limits: Limits, tokens: dict[str, float], options: argparse.Namespace) -> None:
    found = [row.cells(limits, tokens) for row in rows]
    lines = [
        f"matrix multiplication: {', '.join(f'{name} {rate / 1e9:.0f}' for name, rate in limits.rates.items())} GFLOP/s"
        f"; a token of the model costs {limits.per_token / 1e6:.1f} MFLOP",
        *(
            f"limit, {name} texts of {count:.0f} tokens: "
            + ", ".join(f"{precision} {limits.texts(precision, count):.0f}/s" for precision in limits.rates)
            for name, count in tokens.items()
        ),
    ]
    print("\n" + "\n".join(lines) + "\n\n" + table(header(rows), found) + "\n\n" + "\n".join(ratios(rows)))
    if options.markdown:
        parts = [*(f"- {line}" for line in lines), "", markdown(header(rows), found), ""]
        parts += [f"- {line}" for line in ratios(rows)]
        options.markdown.write_text("\n".join(parts) + "\n", encoding="utf-8")
    if options.chart:
        write_chart(rows, options.chart)


if __name__ == "__main__":
    main()
