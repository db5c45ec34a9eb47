"""What several commands need: option types, tables, JSON, and the model."""

import argparse
import json
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from edge_st import SentenceTransformer

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
MODEL_HELP = "a model folder, an installed model or a Hub id (default: the bundled model)"
SNIPPET_WIDTH, SNIPPET_LINES = 88, 4


def add_model(parser: argparse.ArgumentParser) -> None:
    """The option ``--model``."""
    parser.add_argument("--model", metavar="M", help=MODEL_HELP)


def add_records(parser: argparse.ArgumentParser) -> None:
    """The input files, and the options that say how texts stand in them."""
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="input files, '-' for standard input")
    parser.add_argument(
        "--format", choices=("lines", "jsonl", "auto"), default="auto", help="auto: jsonl for .jsonl and .ndjson files"
    )
    parser.add_argument("--field", default="text", help="the JSONL field that holds the text (default: text)")


def add_json(parser: "argparse._ActionsContainer") -> None:
    """The option ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def load(model: str | None) -> "SentenceTransformer":
    """The model of that name or folder, the bundled one for None."""
    from edge_st import SentenceTransformer

    return SentenceTransformer(model)


def positive(text: str) -> int:
    """The type of an option that takes a whole number of at least 1."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def not_blank(text: str) -> str:
    """The type of an option that takes a query."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the query is empty")
    return text


def snippet(text: str) -> str:
    """The beginning of ``text`` in a few indented lines."""
    lines = textwrap.wrap(
        " ".join(text.split()),
        width=SNIPPET_WIDTH,
        max_lines=SNIPPET_LINES,
        placeholder=" …",
        initial_indent=" " * 9,
        subsequent_indent=" " * 9,
    )
    return "\n".join(lines)


def print_json(document: object) -> None:
    """One JSON document on the standard output, in ASCII so that no terminal encoding can spoil it."""
    print(json.dumps(document, indent=2))


def table(rows: Sequence[Sequence[object]], indent: str = "") -> str:
    """Aligned columns, of which every row has as many."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)
