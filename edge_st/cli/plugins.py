"""Commands that other installed distributions add, found through the entry-point group ``edge_st.commands``."""

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import INSTALL_EXPORT, EdgeSTError

from .arguments import Subparsers

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "edge_st.commands"
EXPORT_COMMANDS = ("convert", "distill", "export", "pack")
EXPORT_IS_MISSING = (
    "the command {0!r} comes with the package edge-st-export, which is not installed here; on the build machine "
    f"run: {INSTALL_EXPORT}"
)


def add_all(subparsers: Subparsers) -> None:
    """Register every such command, in the order of their names. None can replace a built-in command."""
    from importlib.metadata import entry_points

    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name not in subparsers.choices:
            _add(point, subparsers)


def load_one(group: str, name: str, command: str) -> Any:
    """Load the entry point ``name`` of ``group`` for ``command``; raises EdgeSTError where that is not possible."""
    from importlib.metadata import entry_points

    found = list(entry_points(group=group, name=name))
    if not found:
        raise EdgeSTError(
            f"{command} needs the package edge-st-export, which is not installed here; on the build machine run: "
            f"{INSTALL_EXPORT}"
        )
    try:
        return found[0].load()
    except (ImportError, AttributeError) as error:
        raise EdgeSTError(f"edge-st-export is installed, but {command} cannot be loaded: {error}") from error


def _add(point: "EntryPoint", subparsers: Subparsers) -> None:
    try:
        add = point.load()
    except (ImportError, AttributeError) as error:
        # no argument begins with "\0", so the parser accepts all options as plain arguments
        broken = subparsers.add_parser(point.name, help="cannot be loaded", add_help=False, prefix_chars="\0")
        broken.add_argument("rest", nargs="*")
        broken.set_defaults(run=partial(_report, point, str(error)))
    else:
        add(subparsers)


def _report(point: "EntryPoint", reason: str, _: argparse.Namespace) -> int:
    owner = point.dist.name if point.dist else point.value
    raise EdgeSTError(f"{owner} is installed, but its command {point.name!r} cannot be loaded: {reason}")
