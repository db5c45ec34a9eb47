"""The command ``edge-st pack``, which edge-st finds by an entry point."""

import argparse
import shlex
from pathlib import Path
from typing import Any, TypeAlias

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_pack(subparsers: Subparsers) -> None:
    """Register ``pack wheel``, ``pack project`` and ``pack lambda``."""
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
    _add_lambda(forms)


def _add_lambda(forms: Subparsers) -> None:
    parser = forms.add_parser(
        "lambda",
        help="write a layer and a function for AWS Lambda",
        description="Write a layer (edge-st, what it needs, the model) and a function for AWS Lambda as zips. The "
        "function answers direct invocations, API Gateway and function URLs as OpenAI, text-embeddings-inference and "
        "Cohere do.",
    )
    parser.add_argument("model", metavar="MODEL", help="a model folder, an installed model, or a name on the Hub")
    parser.add_argument("out", metavar="OUT", help="the folder to write")
    parser.add_argument("--arch", metavar="ARCH", default="x86_64", help="x86_64 (default) or arm64")
    parser.add_argument("--python", metavar="V", default="3.13", help="Lambda's Python: 3.12, 3.13 (default) or 3.14")
    parser.add_argument(
        "--handler", metavar="NAME", help="the function's handler (default: lambda_function.lambda_handler)"
    )
    _add_graph(parser, "that which would run there")
    parser.add_argument(
        "--container", action="store_true", help="write what an image is built from, for models beyond 250 MB"
    )
    parser.set_defaults(run=run_lambda)


def run_lambda(args: argparse.Namespace) -> int:
    """Write the layer and the function, then print their sizes and what to do next."""
    from .aws_lambda.pack import DEFAULT_HANDLER, pack_lambda
    from .aws_lambda.report import report

    handler = args.handler or DEFAULT_HANDLER
    packed = pack_lambda(
        args.model,
        args.out,
        arch=args.arch,
        python=args.python,
        handler=handler,
        graphs=args.graph,
        container=args.container,
    )
    print(report(packed, args.arch, args.python, handler))
    return 0


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
    _add_graph(parser, "all")


def _add_graph(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--graph",
        action="append",
        metavar="FILE",
        help=f"a graph to pack, such as onnx/model.onnx; repeat it for several (default: {default})",
    )


def _options(args: argparse.Namespace) -> dict[str, Any]:
    from .project import DEFAULT_VERSION

    return {"name": args.name, "version": args.version or DEFAULT_VERSION, "graphs": args.graph}
