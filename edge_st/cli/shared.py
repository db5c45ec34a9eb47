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


def table(rows: Sequence[tuple[str, object]], indent: str = "") -> str:
    """Two aligned columns: names and values."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{indent}{name:<{width}}  {value}".rstrip() for name, value in rows)


def megabytes(size: float) -> str:
    """Bytes as MB (10^6 bytes), to one decimal."""
    return f"{size / 1e6:.1f} MB"
