"""``edge-st tune``: find the fastest setting for a model on this machine, and save it for later loads."""

import argparse
from dataclasses import asdict

from .arguments import Subparsers, add_json
from .bench_and_tune import add_measured, folder_of, read_texts, report_progress, speed_table
from .output import print_json

_DESCRIPTION = """\
Find the fastest engine, recorded variant, number of threads and batch size for MODEL on this machine, and save them
below the user's cache folder. This takes about a minute.
From then on the model is loaded with this setting, unless a backend, graph or provider is asked for. num_threads and
EDGE_ST_NUM_THREADS take precedence over the saved number of threads.
A setting is saved for each --dtype and --device, and taken where the model is opened with them. It is ignored once the
graph, the engine's version, the CPU or the GPU has changed.
On a GPU batches of up to 65536 tokens are tried; encode(batch_size=…) must allow as many texts.
The choice fits best if TEXTS.txt has texts of the lengths that you will encode.
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "tune",
        help="find and save the fastest engine, variant, threads and batch size for a model on this machine",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_measured(parser)
    parser.add_argument(
        "texts", nargs="?", metavar="TEXTS.txt", help="texts to measure with, one per line (default: built-in texts)"
    )
    parser.add_argument("--device", metavar="D", help="such as cuda or cuda:1 (default: cpu)")
    parser.add_argument("--forget", action="store_true", help="remove the saved setting of MODEL and measure nothing")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, save and print; or forget."""
    folder = folder_of(args.model)
    device = None if (args.device or "cpu").lower() == "cpu" else args.device.lower()
    if args.forget:
        from edge_st_runtime.model.tuning import forget_tuning

        was_there = forget_tuning(folder, args.dtype, device)
        if args.json:
            print_json({"folder": str(folder), "dtype": args.dtype, "forgot": was_there})
        else:
            print(f"{'forgot the' if was_there else 'there was no'} tuning of {folder} for dtype {args.dtype}")
        return 0
    from ..speed.tune import tune

    found = tune(folder, args.dtype, read_texts(args.texts), report_progress, device=device)
    if args.json:
        kept = None if found.kept is None else str(found.kept)
        print_json({"rows": [row.as_json() for row in found.rows], "tuning": asdict(found.tuning), "kept": kept})
    else:
        tuning, asked = found.tuning, "" if args.dtype == "auto" else f" --dtype {args.dtype}"
        asked += "" if device is None else f" --device {device}"
        print(speed_table(found.rows))
        print(
            f"\nchosen: {tuning.file} ({tuning.engine}, {tuning.dtype}), threads: {tuning.num_threads}, batches of "
            f"{tuning.token_budget} tokens\nsaved in {found.kept}; remove it with: "
            f"edge-st tune {args.model}{asked} --forget"
        )
    return 0
