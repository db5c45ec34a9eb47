"""``edge-st index``: a corpus that is encoded once, kept in a folder, and searched and changed at any time."""

import argparse

from ..arguments import Subparsers
from . import build as index_build
from . import care as index_care
from . import delete as index_delete
from . import search as index_search

_DESCRIPTION = """\
Keep texts and their embeddings in a folder. What is added is there as soon as it is written; an interrupted command
goes on where it was when it is given again. One command at a time may write, any number may search meanwhile.
"""


def add(subparsers: Subparsers) -> None:
    """Register the command, and the actions that it has."""
    parser = subparsers.add_parser(
        "index",
        help="build, search and change a corpus that lasts",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for module in (index_build, index_search, index_delete, index_care):
        module.add(actions)
