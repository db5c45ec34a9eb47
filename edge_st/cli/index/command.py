"""``edge-st index``: a corpus that is encoded once, stored in a folder, then searched and changed."""

import argparse

from ..arguments import Subparsers
from . import build as index_build
from . import delete as index_delete
from . import maintenance as index_maintenance
from . import search as index_search

_DESCRIPTION = """\
Store texts and their embeddings in a folder. Rows can be found as soon as they are written. Run an interrupted command
again to continue it. One command at a time can write; any number can search at the same time.
"""


def add(subparsers: Subparsers) -> None:
    """Register the command and its actions."""
    parser = subparsers.add_parser(
        "index",
        help="build, search and change a corpus on disk",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for module in (index_build, index_search, index_delete, index_maintenance):
        module.add(actions)
