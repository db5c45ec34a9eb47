"""``edge-st verify``: compare the outputs of a model folder with those of the original model."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import EdgeSTError, FolderNotFoundError

from .arguments import Subparsers, add_json
from .output import print_json, table
from .plugins import load_one

if TYPE_CHECKING:
    from ..verification.comparison import Comparison
    from ..verification.variants import GraphVariant

GROUP = "edge_st.originals"
_DESCRIPTION = """\
Compare every graph of FOLDER that runs on this machine with the original model. The outputs are compared with those of
the original that the export kept in edge_st.json. With --against they are compared with the original itself, run by
sentence-transformers; this needs edge-st-export. The exit code is 1 if an output differs by more than its tolerance.
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "verify",
        help="compare a model folder with the original model",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="FOLDER", help="an exported model folder, or the name of an installed model")
    parser.add_argument("--against", metavar="ORIGINAL", help="the original model: a Hub id or a folder")
    parser.add_argument("--trust-remote-code", action="store_true", help="let ORIGINAL run its own code")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every comparison; raises EdgeSTError if one of them fails."""
    found = _compare(args)
    rows = [(variant, comparison) for variant, comparisons in found.items() for comparison in comparisons]
    if args.json:
        print_json([asdict(variant) | asdict(row) | {"equal": row.equal} for variant, row in rows])
    else:
        print(table([_HEAD, *(_cells(variant, row) for variant, row in rows)]))
    unequal = [row for _, row in rows if not row.equal]
    if unequal:
        raise EdgeSTError(f"{len(unequal)} of {len(rows)} outputs differ from the original's; export the model again")
    if not rows:
        raise EdgeSTError(
            f"nothing to compare: no graph of {args.folder} runs here, or its record has no reference outputs"
        )
    return 0


def _compare(args: argparse.Namespace) -> "Mapping[GraphVariant, Sequence[Comparison]]":
    from ..hub.installed import find_installed
    from ..hub.names import existing_folder, no_folder
    from ..verification.checks import verify_folder

    folder = existing_folder(args.folder) or find_installed(args.folder)
    if folder is None:
        raise FolderNotFoundError(
            f"{no_folder(args.folder)}; give a folder that edge-st export wrote, or the name of an installed model "
            "(edge-st list --installed)"
        )
    if args.against is None:
        return verify_folder(folder)
    compare: Any = load_one(GROUP, "sentence-transformers", "edge-st verify --against")
    return compare(folder, args.against, trust_remote_code=args.trust_remote_code)


_HEAD = ("variant", "graph", "output", "cosine min", "max difference", "")


def _cells(variant: "GraphVariant", row: "Comparison") -> tuple[str, ...]:
    return (
        f"{variant.engine} {variant.dtype}",
        variant.file or "-",
        row.output,
        f"{row.cosine_min:.7f}",
        f"{row.max_abs_difference:.1e}",
        (f"within {row.least:.5f}" if variant.dtype == "int8" else "equal") if row.equal else _why(row),
    )


def _why(row: "Comparison") -> str:
    """Which of the two tolerances is exceeded."""
    if row.most is None or not row.cosine_min >= row.least:
        return f"below {row.least:.5f}"
    return f"beyond {row.most * max(1.0, row.scale):.1e}"
