"""The command ``edge-st pack``, which edge-st finds by an entry point."""

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
    wheel.add_argument(
        "-o", "--out", default=".", metavar="DIR", help="where to write the wheel (default: current folder)"
    )
    wheel.set_defaults(run=run_wheel)
    project = forms.add_parser(
        "project",
        help="write the project folder that the wheel is built from",
        description="Write a project folder that pip can install, to keep among your sources.",
    )
    _add_options(project)
    project.add_argument("out", metavar="OUT", help="the folder to write")
    project.set_defaults(run=run_project)


def run_wheel(args: argparse.Namespace) -> int:
    """Write the wheel, then print where it is and what to do next."""
    from .wheel import pack_wheel

    path = pack_wheel(args.folder, args.out, **_options(args))
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB\n{_next(args, path)}")
    return 0


def run_project(args: argparse.Namespace) -> int:
    """Write the project folder, then print what to do next."""
    from .project import pack_project

    path = pack_project(args.folder, args.out, **_options(args))
    print(f"{path}\n{_next(args, path.resolve())}")
    return 0


def _next(args: argparse.Namespace, path: Path) -> str:
    """How to install the package, and the name under which the model then loads."""
    from .names import name_of

    return (
        f"next: pip install {shlex.quote(str(path))}\nthen load it as {name_of(Path(args.folder), args.name).short!r}"
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="MODEL_FOLDER", help="a folder that edge-st export wrote")
    parser.add_argument(
        "--name", metavar="NAME", help="the model's name, or owner/name (default: that of the original)"
    )
    parser.add_argument("--version", metavar="V", help="the package's version (default: 1.0.0)")
    parser.add_argument(
        "--graph",
        action="append",
        metavar="FILE",
        help="a graph to pack, such as onnx/model.onnx; repeat it for several (default: all)",
    )


def _options(args: argparse.Namespace) -> dict[str, Any]:
    from .project import DEFAULT_VERSION

    return {"name": args.name, "version": args.version or DEFAULT_VERSION, "graphs": args.graph}
