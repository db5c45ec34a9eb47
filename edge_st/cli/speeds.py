"""What ``edge-st tune`` and ``edge-st bench`` share: the model's folder, the texts, the table."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_st_runtime.errors import InputError

from ..input_files import existing, read_lines
from ..memory import megabytes
from .output import table

if TYPE_CHECKING:
    from ..speed.measure import Setting, Speed
    from ..speed.variants import Row

_HEAD = ("variant", "graph", "threads", "batch", "short/s", "mixed/s", "single ms", "load ms", "memory", "cosine min")


def add_measured(parser: argparse.ArgumentParser) -> None:
    """The model and its dtype."""
    parser.add_argument("model", metavar="MODEL", help="a model folder, an installed model or a Hub id")
    parser.add_argument("--dtype", default="auto", metavar="T", help="auto (default), float32, bfloat16 or int8")


def folder_of(model: str) -> Path:
    """The model's folder; of the Hub's it is downloaded."""
    from ..hub.resolve import resolve

    return resolve(model).absolute()


def read_texts(path: str | None) -> list[str] | None:
    """The lines of a UTF-8 file, without empty ones; None for None.

    Raises OptionError where there is no such file, InputError where it has no text or is not UTF-8.
    """
    if path is None:
        return None
    texts = [line for _, line in read_lines(existing(path)) if line.strip()]
    if not texts:
        raise InputError(f"{path} has no texts; expected one a line")
    return texts


def say(setting: "Setting", speed: "Speed") -> None:
    """A line of progress."""
    short, mixed = f"{speed.short:,.0f} short", f"{speed.mixed:,.0f} mixed texts a second"
    print(f"{setting}: {short}, {mixed}, {speed.single_ms:.2f} ms for one", file=sys.stderr, flush=True)


def as_table(rows: "Sequence[Row]") -> str:
    """One line a row."""
    return table([_HEAD, *(_cells(row) for row in rows)])


def _cells(row: "Row") -> tuple[str, ...]:
    setting, speed = row.setting, row.speed
    return (
        f"{setting.engine} {setting.dtype}",
        setting.file or "-",
        str(speed.num_threads),
        str(speed.token_budget),
        f"{speed.short:,.0f}",
        f"{speed.mixed:,.0f}",
        f"{speed.single_ms:.2f}",
        f"{speed.load_ms:.0f}",
        "-" if speed.peak_memory is None else megabytes(speed.peak_memory),
        "-" if row.cosine_min is None else f"{row.cosine_min:.5f}",
    )
