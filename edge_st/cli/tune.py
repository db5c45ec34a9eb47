"""``edge-st tune``: the fastest way to run a model on this machine, found once and taken from then on."""

import argparse
from dataclasses import asdict

from .arguments import Subparsers, add_json
from .output import print_json
from .speeds import add_measured, as_table, folder_of, read_texts, say

_DESCRIPTION = """\
Measure engines, recorded variants, threads and batch sizes of MODEL on this machine, in about a minute, and keep the
fastest below the user's cache folder. From then on the model is loaded so where backend, graph and provider are left
open; num_threads and EDGE_ST_NUM_THREADS win over the tuned threads. What is kept holds for the --dtype asked for, and
is ignored once the graph, the engine's version or the CPU is another. Texts that have the lengths of your own make the
choice better.
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "tune",
        help="find the fastest engine, variant, threads and batches for a model on this machine, and keep them",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_measured(parser)
    parser.add_argument("texts", nargs="?", metavar="TEXTS.txt", help="texts to measure with, one a line")
    parser.add_argument("--forget", action="store_true", help="measure nothing; remove what was kept for MODEL")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, print and keep; or forget."""
    folder = folder_of(args.model)
    if args.forget:
        from edge_st_runtime.model.tuning import forget_tuning

        was_there = forget_tuning(folder, args.dtype)
        if args.json:
            print_json({"folder": str(folder), "dtype": args.dtype, "forgot": was_there})
        else:
            print(f"{'forgot' if was_there else 'there was no'} tuning of {folder} for dtype {args.dtype}")
        return 0
    from ..speed.tune import tune

    found = tune(folder, args.dtype, read_texts(args.texts), say)
    if args.json:
        kept = None if found.kept is None else str(found.kept)
        print_json({"rows": [row.as_json() for row in found.rows], "tuning": asdict(found.tuning), "kept": kept})
    else:
        tuning, asked = found.tuning, "" if args.dtype == "auto" else f" --dtype {args.dtype}"
        print(as_table(found.rows))
        print(
            f"\nchosen: {tuning.file} ({tuning.engine}, {tuning.dtype}), threads: {tuning.num_threads}, batches of "
            f"{tuning.token_budget} tokens\nkept in {found.kept}; remove it with: "
            f"edge-st tune {args.model}{asked} --forget"
        )
    return 0
