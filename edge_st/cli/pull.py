"""``edge-st pull``: download the files that the runtime needs from the Hub into a folder."""

import argparse
import shlex
from pathlib import Path

from ..memory import megabytes
from .arguments import Subparsers


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "pull",
        help="download the files that a model needs to run from the Hub",
        description="Download the files that a model needs to run from the Hub into a new folder. An interrupted "
        "download is continued when the command is run again.",
    )
    parser.add_argument("repo_id", metavar="REPO_ID", help="the model on the Hub: organisation/name")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to create")
    parser.add_argument("--revision", metavar="R", help="a branch, tag or commit (default: main)")
    parser.add_argument(
        "--backend",
        choices=("onnx", "openvino", "auto"),
        default="auto",
        help="the engine to download the graph for (default: auto)",
    )
    parser.add_argument("--token", metavar="T", help="an access token (default: that of your login)")
    parser.add_argument("--force", action="store_true", help="replace OUT if it is already a model folder")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Download, then print the folder and the next command."""
    from edge_st.hub.pull import pull

    folder = pull(
        args.repo_id, args.out, revision=args.revision, token=args.token, backend=args.backend, force=args.force
    )
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder}  {megabytes(size)}")
    print(f"next: edge-st info {shlex.quote(str(folder))}")
    return 0
