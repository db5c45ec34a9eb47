"""What several commands need: option types, tables, JSON, and the model."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from edge_st_runtime.errors import OptionError

if TYPE_CHECKING:
    from edge_st import SentenceTransformer

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
MODEL_HELP = "a model folder or a Hub id (default: the bundled model)"


def add_model(parser: argparse.ArgumentParser) -> None:
    """The option ``--model``."""
    parser.add_argument("--model", metavar="M", help=MODEL_HELP)


def add_json(parser: argparse.ArgumentParser) -> None:
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


def existing(path: str) -> Path:
    """The path, if something is there; OptionError otherwise."""
    found = Path(path)
    if not found.exists():
        raise OptionError(f"no such file or folder: {path} (looked in {Path.cwd()})")
    return found


def print_json(document: object) -> None:
    """One JSON document on the standard output, in ASCII so that no terminal encoding can spoil it."""
    print(json.dumps(document, indent=2))


def table(rows: Sequence[Sequence[object]], indent: str = "") -> str:
    """Aligned columns, of which every row has as many."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def megabytes(size: float) -> str:
    """Bytes as MB (10^6 bytes), to one decimal."""
    return f"{size / 1e6:.1f} MB"
