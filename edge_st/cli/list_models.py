"""``edge-st list``: the models of the manifest, or the installed ones."""

import argparse
import sys
from dataclasses import asdict

from edge_st_runtime.errors import OptionError

from .arguments import Subparsers, add_json
from .output import print_json, table


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "list",
        help="print the known models",
        description="Print the known models that meet every condition. A model is left out where a fact that a "
        "condition needs is not known.",
    )
    parser.add_argument("text", nargs="*", metavar="TEXT", help="words that the id, architecture or purpose must have")
    parser.add_argument("--task", metavar="T", help="sentence-embedding, cross-encoder or sparse-encoder")
    parser.add_argument("--language", metavar="L", help="a two-letter code, or multilingual")
    parser.add_argument("--licence", metavar="L", help="a licence identifier, such as apache-2.0")
    parser.add_argument("--max-size-mb", type=float, metavar="N", help="the largest size of the stored weights")
    parser.add_argument("--installed", action="store_true", help="print the models in installed packages instead")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Filter and print."""
    if args.installed:
        return _print_installed(args)
    from edge_st.manifest import filter_models, format_table, load_manifest

    entries = filter_models(
        load_manifest(),
        task=args.task,
        language=args.language,
        licence=args.licence,
        max_size_mb=args.max_size_mb,
        text=" ".join(args.text) or None,
    )
    if args.json:
        print_json([asdict(entry) for entry in entries])
    elif entries:
        print(format_table(entries))
    else:
        print("edge-st: note: no model meets these conditions; 'edge-st list' prints all", file=sys.stderr)
    return 0


def _print_installed(args: argparse.Namespace) -> int:
    from .installed_models import list_installed_models

    if args.text or any((args.task, args.language, args.licence, args.max_size_mb)):
        raise OptionError("--installed takes no conditions; run: edge-st list --installed")
    found = list_installed_models()
    if args.json:
        print_json(found)
    elif found:
        columns = ("name", "distribution", "version")
        rows = [(*(model[column] for column in columns), model["error"] or model["folder"]) for model in found]
        print(table([(*columns, "folder"), *rows]))
    else:
        print("edge-st: note: no model is installed; edge-st pack wheel makes a package of a model", file=sys.stderr)
    return 0
