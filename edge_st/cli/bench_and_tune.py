"""What ``edge-st bench`` and ``edge-st tune`` share: the model, the texts, the lines and the table that they print."""

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
    from ..speed.measuring import Row, Speed
    from ..speed.settings import Setting

HEAD = ("variant", "graph", "threads", "batch", "short/s", "mixed/s", "single ms", "load ms", "memory", "cosine min")


def add_measured(parser: argparse.ArgumentParser) -> None:
    """Add the model and its dtype."""
    parser.add_argument("model", metavar="MODEL", help="a model folder, an installed model or a Hub id")
    parser.add_argument("--dtype", default="auto", metavar="T", help="auto (default), float32, bfloat16 or int8")


def folder_of(model: str) -> Path:
    """The model's folder; a model from the Hub is downloaded."""
    from ..hub.resolve import resolve

    return resolve(model).absolute()


def read_texts(path: str | None) -> list[str] | None:
    """The lines of a UTF-8 file that are not blank; None for None.

    Raises OptionError where there is no such file, InputError where it holds no text or is not UTF-8.
    """
    if path is None:
        return None
    texts = [line for _, line in read_lines(existing(path)) if line.strip()]
    if not texts:
        raise InputError(f"{path} has no texts; expected one per line")
    return texts


def report_progress(setting: "Setting", speed: "Speed") -> None:
    """Print the speed of one setting to stderr."""
    short, mixed = f"{speed.short:,.0f} short", f"{speed.mixed:,.0f} mixed texts per second"
    print(f"{setting}: {short}, {mixed}, {speed.single_ms:.2f} ms for one", file=sys.stderr, flush=True)


def speed_table(rows: "Sequence[Row]") -> str:
    """A table with a line for each row."""
    return table([HEAD, *(cells(row) for row in rows)])


def cells(row: "Row") -> tuple[str, ...]:
    """The figures of a row, under `HEAD`."""
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
