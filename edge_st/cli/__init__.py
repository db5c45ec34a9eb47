"""The command ``edge-st``.

Every command is a module with ``add(subparsers) -> None``. It adds a parser and registers the function to run with
``set_defaults(run=function)``; the function takes the parsed arguments and returns the exit code. Other distributions
add commands in the same way, through the entry-point group ``edge_st.commands``. A command imports what it needs beyond
argparse when it runs, so that the command line starts at once.
"""

import argparse
import sys
from collections.abc import Sequence

from edge_st_runtime.errors import EdgeSTError

from ..version import __version__
from . import (
    bench,
    demo,
    doctor,
    embed,
    evaluate,
    info,
    list_models,
    plugins,
    pull,
    rerank,
    search,
    serve,
    tune,
    verify,
)
from .index import command as index
from .stopping import Terminated, stoppable
from .streams import one_line, safe_streams

COMMANDS = {
    "demo": demo.add,
    "embed": embed.add,
    "search": search.add,
    "index": index.add,
    "rerank": rerank.add,
    "serve": serve.add,
    "info": info.add,
    "list": list_models.add,
    "pull": pull.add,
    "verify": verify.add,
    "eval": evaluate.add,
    "bench": bench.add,
    "tune": tune.add,
    "doctor": doctor.add,
}
OK, FAILED, USAGE, INTERRUPTED, CLOSED_PIPE = 0, 1, 2, 130, 141
EXIT_CODES = (
    "exit codes: 0 success, 1 error, 2 wrong usage, 129 hung up, 130 interrupted, 141 output closed, 143 terminated"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. ``argv`` defaults to the arguments of the process."""
    with safe_streams():
        return _run(sys.argv[1:] if argv is None else list(argv))


def _run(argv: list[str]) -> int:
    try:
        with stoppable():
            code = _exit_code(argv)
            sys.stdout.flush()
    except BrokenPipeError:
        return CLOSED_PIPE
    except Terminated as stop:
        return _fail(f"terminated by {stop}", stop.code)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except (EdgeSTError, OSError) as error:
        return _fail(_describe(error), FAILED)
    return code


def _exit_code(argv: list[str]) -> int:
    try:
        args = _parse(argv)
        code: int = args.run(args)
    except SystemExit as stop:  # of argparse
        return stop.code if isinstance(stop.code, int) else OK
    return code


def _parse(argv: list[str]) -> argparse.Namespace:
    first = next((word for word in argv if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(
        prog="edge-st",
        description="Sentence embeddings and search on ONNX Runtime, OpenVINO or NumPy, without PyTorch.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in COMMANDS.values():
        add(subparsers)
    if first not in COMMANDS:
        plugins.add_all(subparsers)
        if first in plugins.EXPORT_COMMANDS and first not in subparsers.choices:
            raise SystemExit(_fail(plugins.EXPORT_IS_MISSING.format(first), USAGE))
    return parser.parse_args(argv)


class _Version(argparse.Action):
    """Prints the version."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002 (argparse's name)
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"edge-st {__version__}")
        parser.exit()


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, EdgeSTError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _fail(message: str, code: int) -> int:
    print(f"edge-st: error: {one_line(message)}", file=sys.stderr)
    return code
