"""The command ``edge-st pack``, which edge-st finds by entry point."""

import argparse
import shlex
from pathlib import Path
from typing import Any, TypeAlias

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_pack(subparsers: Subparsers) -> None:
    """Register ``pack wheel`` and ``pack project``."""
    parser = subparsers.add_parser("pack", help="make a pip-installable package of an exported model")
    forms = parser.add_subparsers(title="forms", metavar="FORM", required=True)
    wheel = forms.add_parser(
        "wheel",
        help="write a wheel",
        description="Write a wheel that holds the model as data. Where it is installed the model loads by its name.",
    )
    _add_options(wheel)
    wheel.add_argument("-o", "--out", default=".", metavar="DIR", help="where the wheel goes (default: here)")
    wheel.set_defaults(run=run_wheel)
    project = forms.add_parser(
        "project",
        help="write the folder that the wheel is built from",
        description="Write a folder that pip installs, to be kept with other sources.",
    )
    _add_options(project)
    project.add_argument("out", metavar="OUT", help="the folder to make")
    project.set_defaults(run=run_project)


def run_wheel(args: argparse.Namespace) -> int:
    """Pack, then say where it is and how to go on."""
    from .wheel import pack_wheel

    path = pack_wheel(args.folder, args.out, **_options(args))
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB\n{_next(args, path)}")
    return 0


def run_project(args: argparse.Namespace) -> int:
    """Write, then say how to go on."""
    from .project import pack_project

    path = pack_project(args.folder, args.out, **_options(args))
    print(f"{path}\n{_next(args, path.resolve())}")
    return 0


def _next(args: argparse.Namespace, path: Path) -> str:
    """How to install what was packed, and the name by which it loads then."""
    from .names import name_of

    return (
        f"next: pip install {shlex.quote(str(path))}\nthen load it as {name_of(Path(args.folder), args.name).short!r}"
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="MODEL_FOLDER", help="a folder that edge-st export made")
    parser.add_argument(
        "--name", metavar="NAME", help="the model's name, or owner/name (default: what it was exported from)"
    )
    parser.add_argument("--version", metavar="V", help="the package's version (default: 1.0.0)")
    parser.add_argument(
        "--graph",
        action="append",
        metavar="FILE",
        help="a graph to pack, such as onnx/model.onnx; repeat for more (default: all)",
    )


def _options(args: argparse.Namespace) -> dict[str, Any]:
    from .project import DEFAULT_VERSION

    return {"name": args.name, "version": args.version or DEFAULT_VERSION, "graphs": args.graph}
