"""``edge-st index info``, ``compact``, ``migrate`` and ``verify``: the description and the upkeep of an index."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from ..arguments import Subparsers, add_json
from ..output import print_json, table


def add(actions: Subparsers) -> None:
    """Register the actions."""
    info = _parser(actions, "info", "show the settings and the size of an index", run_info)
    add_json(info)
    _parser(actions, "compact", "free the disk space of deleted rows and merge all segments", run_compact)
    migrate = _parser(
        actions,
        "migrate",
        "encode all texts again with another model",
        run_migrate,
        "Searches use the old embeddings until it is done. Run it again to continue after an interruption.",
    )
    migrate.add_argument("--model", required=True, metavar="NEW", help="the model to move to: a folder or a Hub id")
    _parser(actions, "verify", "read every file and compare it with its checksum", run_verify)


def _parser(
    actions: Subparsers, name: str, summary: str, run: Callable[[argparse.Namespace], int], more: str = ""
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=f"{summary.capitalize()}. {more}")
    parser.add_argument("path", metavar="PATH", help="the folder of the index")
    parser.set_defaults(run=run)
    return parser


def run_info(args: argparse.Namespace) -> int:
    """Print the settings and the sizes."""
    from ...index.opening import open_index

    found = open_index(args.path).info()
    if args.json:
        print_json(found)
        return 0
    model = found.pop("model") or {"name": "none: embeddings were given", "fingerprint": "none"}
    shown = {**found, "model": model["name"], "fingerprint": model["fingerprint"]}
    print(table([(f"{name.replace('_', ' ')}:", _as_text(value)) for name, value in shown.items()]))
    return 0


def run_compact(args: argparse.Namespace) -> int:
    """Compact, and print the numbers of segments and bytes before and after."""
    from ...index.opening import open_index

    with open_index(args.path, "a") as index:
        before = index.info()
        index.compact()
        after = index.info()
    print(
        f"{args.path}: {after['rows']} rows; segments {before['segments']} -> {after['segments']}, "
        f"bytes {before['bytes']} -> {after['bytes']}"
    )
    return 0


def run_migrate(args: argparse.Namespace) -> int:
    """Move the index to the other model."""
    from ...index.opening import open_index
    from .models import load_named

    with open_index(args.path, "a") as index:
        model: Any = load_named(args.model, type(index))
        index.migrate(model, show_progress_bar=sys.stderr.isatty())
        rows = len(index)
    print(f"{args.path}: {rows} rows of {model.model_card_data.model_name} ({model.fingerprint})")
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """Verify all files; a wrong checksum is an error."""
    from ...index.opening import open_index

    index = open_index(args.path)
    index.verify()
    found = index.info()
    print(f"{args.path}: {found['rows']} rows, {found['bytes']} bytes, all checksums are right")
    return 0


def _as_text(value: Any) -> Any:
    return "no" if value is None or value is False else "yes" if value is True else value
