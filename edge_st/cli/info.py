"""``edge-st info``: facts about a model, and how it runs on this machine."""

import argparse
import json

from .arguments import MODEL_HELP, Subparsers, add_json
from .output import print_json, table


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "info",
        help="print a model's engine, graph, dtype, limit and dimension",
        description="Load a model, and print what it is and how it runs on this machine.",
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help=MODEL_HELP)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Load the model and print ``model.info()``."""
    from ..models.classes import open_model

    found = open_model(args.model).info()
    if args.json:
        print_json(found)
    else:
        print(table([(name, _cell(value)) for name, value in found.items()]))
    return 0


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | tuple) else str(value)
