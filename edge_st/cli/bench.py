"""``edge-st bench``: the speed of every variant of a model on this machine, beside its recorded quality."""

import argparse
from importlib.util import find_spec
from pathlib import Path

from edge_st_runtime.errors import OptionError, PackageMissingError

from ..input_files import existing
from .arguments import Subparsers, add_json
from .bench_and_tune import add_measured, folder_of, read_texts, report_progress, speed_table
from .output import print_json

_ENDINGS = (".svg", ".png")
_DESCRIPTION = """\
Measure every variant of MODEL that runs on this machine, each in a process of its own. Printed are
  short texts per second, and texts of mixed lengths per second
  milliseconds for one short text, and milliseconds to load the model
  the peak memory of the process
  the worst cosine to the original model, as recorded by the export
With --peers, other libraries in this environment run the same texts with the same threads, in turn with edge-st:
sentence-transformers (torch, ONNX Runtime, OpenVINO, and its int8), fastembed, fastretrieval, candding, CTranslate2
and llama.cpp. Those that cannot run MODEL are named with the reason.
With --report they are Markdown to paste into an issue, with CPU, memory, system and versions.
Nothing is saved; edge-st tune saves the fastest setting.
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
    parser.add_argument("--texts", metavar="FILE", help="texts to measure with, one per line (default: built-in texts)")
    parser.add_argument("--chart", metavar="FILE", help="write a chart of speed against quality (.svg or .png)")
    parser.add_argument("--peers", action="store_true", help="measure beside the other libraries that are installed")
    parser.add_argument("--original", metavar="DIR", help="with --peers: the folder of the model that has its weights")
    parser.add_argument("--report", action="store_true", help="print Markdown with the machine, to paste into an issue")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from ..speed.measuring import Row, measure_in_turn
    from ..speed.settings import settings_here

    if args.report and (args.peers or args.json):
        raise OptionError("--report prints edge-st's variants as Markdown; leave out --peers and --json")
    if args.peers:
        return _race(args)
    if args.original is not None:
        raise OptionError("--original is read by other libraries alone; add --peers")
    chart = None if args.chart is None else Path(args.chart)
    if chart is not None:
        _check_chart(chart)
    folder, texts = folder_of(args.model), read_texts(args.texts)
    settings = settings_here(folder, args.dtype)
    speeds = {}
    for setting, speed in measure_in_turn(folder, list(settings), texts):
        report_progress(setting, speed)
        speeds[setting] = speed
    rows = [Row(setting, speed, settings[setting]) for setting, speed in speeds.items()]
    if args.json:
        print_json([row.as_json() for row in rows])
    elif args.report:
        from .bench_report import bench_report

        print(bench_report(Path(args.model).name or folder.name, rows))
    else:
        print(speed_table(rows))
    if chart is not None:
        from ..speed.chart import write_chart

        write_chart(rows, chart)
    return 0


def _race(args: argparse.Namespace) -> int:
    from .bench_peers import race_and_print

    if args.chart is not None:
        raise OptionError("--chart draws edge-st's variants alone; leave out --peers")
    folder, texts = folder_of(args.model), read_texts(args.texts)
    original = folder if args.original is None else existing(args.original).absolute()
    race_and_print(folder, args.dtype, texts, original, args.json)
    return 0


def _check_chart(path: Path) -> None:
    """Refuse a chart that could not be drawn or written, before anything is measured."""
    if path.suffix.lower() not in _ENDINGS:
        raise OptionError(f"--chart {path}: expected a name that ends with {' or '.join(_ENDINGS)}")
    if not path.absolute().parent.is_dir():
        raise OptionError(f"--chart {path}: there is no folder {path.absolute().parent}; make it first")
    if find_spec("matplotlib") is None:
        raise PackageMissingError('--chart needs Matplotlib; pip install "edge-st[report]"')
