"""``edge-st index delete``: rows with the given ids, or all rows that come from a file."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_st_runtime.errors import InputError, OptionError

from ..arguments import Subparsers, add_json
from ..output import print_json

if TYPE_CHECKING:
    from ...index.opening import AnyIndex

_DESCRIPTION = """\
Delete rows from the index in folder PATH. The id of a text that was split deletes all its pieces; the id of a further
piece (ID#2) deletes that piece only. An id such as 7 means the string "7", or the integer 7 if the index has no such
string. If an id or a file is not in the index, nothing is deleted. To free the disk space run: edge-st index compact.
"""


def add(actions: Subparsers) -> None:
    """Register the action."""
    parser = actions.add_parser(
        "delete",
        help="delete rows by id or by file",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="the folder of the index")
    parser.add_argument("ids", nargs="*", metavar="ID", help="ids; put '--' before ids that begin with '-'")
    parser.add_argument("--ids-from", metavar="FILE", help="a file with one id a line, '-' for standard input")
    parser.add_argument(
        "--path", dest="files", action="append", default=[], metavar="FILE", help="all rows of FILE; may be repeated"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Find all rows that are meant, then delete them at once."""
    from ...index.opening import open_index

    given = [*args.ids, *(_read_ids(args.ids_from) if args.ids_from else ())]
    if not given and not args.files:
        raise OptionError("nothing to delete; expected an ID, --ids-from FILE or --path FILE")
    with open_index(args.path, "a") as index:
        rows = dict.fromkeys([*_with_pieces(index, given), *_of_files(index, args.files)])
        index.delete(list(rows))
        left = len(index)
    if args.json:
        print_json({"path": args.path, "rows": left, "deleted": len(rows)})
    else:
        print(f"{args.path}: {len(rows)} deleted; {left} rows now")
    return 0


def _read_ids(name: str) -> list[str]:
    from ...input_files import decoded, existing, standard_input

    if name == "-":
        return [line for _, line in decoded(standard_input(), "<stdin>") if line]
    with existing(name).open("rb") as file:
        return [line for _, line in decoded(file, name) if line]


def _with_pieces(index: "AnyIndex", given: Sequence[str]) -> "Iterator[str | int]":
    """The given ids as the index has them, each followed by the ids of its further pieces."""
    from .chunks import chunk_id, first_of, piece_count

    for name in dict.fromkeys(given):
        first = _as_stored(index, name)
        yield first
        (row,) = index.find([first])
        names = [chunk_id(first, number) for number in range(2, piece_count(row["metadata"]) + 1)] if row else []
        found = zip(names, index.find(names), strict=True)
        yield from (piece for piece, row in found if row is not None and first_of(row["metadata"]) == first)


def _as_stored(index: "AnyIndex", name: str) -> str | int:
    """The id that ``name`` means: the string, or else the integer that it spells."""
    if name not in index and name.lstrip("-").isdecimal() and int(name) in index:
        return int(name)
    return name


def _of_files(index: "AnyIndex", files: Sequence[str]) -> "Iterator[str | int]":
    for name in files:
        found = index.ids({"path": name if name == "<stdin>" else str(Path(name))})
        if not found:
            raise InputError(
                f"no row of {index.info()['path']} comes from {name}; expected the name under which the file was "
                "added, which is 'path' in the metadata that edge-st index search --json shows"
            )
        yield from found
