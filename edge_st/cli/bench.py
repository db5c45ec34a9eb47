"""``edge-st bench``: how fast every variant of a model runs on this machine, and what it is worth."""

import argparse
from importlib.util import find_spec
from pathlib import Path

from edge_st_runtime.errors import OptionError, PackageMissingError

from .arguments import Subparsers, add_json
from .output import print_json
from .speeds import add_measured, as_table, folder_of, read_texts, say

_ENDINGS = (".svg", ".png")
_DESCRIPTION = """\
Measure every variant of MODEL that runs here, each in a process of its own: short texts and texts of mixed lengths a
second, milliseconds for a single short one, milliseconds to load, the process' peak memory, and the worst cosine to the
original that the export recorded. Nothing is kept; see edge-st tune for that.
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "bench",
        help="measure every variant of a model on this machine: speed, load time, memory",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_measured(parser)
    parser.add_argument("--texts", metavar="FILE", help="texts to measure with, one a line")
    parser.add_argument("--chart", metavar="FILE", help="draw speed against quality: .svg or .png")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from ..speed.variants import Row, measured, settings_here

    chart = None if args.chart is None else Path(args.chart)
    if chart is not None:
        _check_chart(chart)
    folder, texts = folder_of(args.model), read_texts(args.texts)
    settings = settings_here(folder, args.dtype)
    speeds = {}
    for setting, speed in measured(folder, list(settings), texts):
        say(setting, speed)
        speeds[setting] = speed
    rows = [Row(setting, speed, settings[setting]) for setting, speed in speeds.items()]
    if args.json:
        print_json([row.as_json() for row in rows])
    else:
        print(as_table(rows))
    if chart is not None:
        from ..speed.charts import write_chart

        write_chart(rows, chart)
    return 0


def _check_chart(path: Path) -> None:
    """Refuse before anything is measured what could not be drawn or written in the end."""
    if path.suffix.lower() not in _ENDINGS:
        raise OptionError(f"--chart {path}: expected a name that ends with {' or '.join(_ENDINGS)}")
    if not path.absolute().parent.is_dir():
        raise OptionError(f"--chart {path}: there is no folder {path.absolute().parent}; make it first")
    if find_spec("matplotlib") is None:
        raise PackageMissingError('--chart needs Matplotlib; pip install "edge-st[report]"')
