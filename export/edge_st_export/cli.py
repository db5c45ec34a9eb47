"""The commands ``edge-st convert``, ``distill`` and ``export``, which edge-st finds by entry points.

What needs PyTorch is imported only when a command runs.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from edge_st.memory import megabytes
from edge_st_runtime.errors import INSTALL_EXPORT, EdgeSTError, OptionError, PackageMissingError

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_USAGE = "edge-st export MODEL OUT [options]\n       edge-st export OUT [options] --manifest [TASK | ID ...]"
_DESCRIPTION = """\
Convert a sentence-transformers model (a Hub name or a folder) so that it runs without PyTorch. Every graph is compared
with the original on difficult texts; if one in float32 is below the gate, nothing is written.
With --manifest, models that 'edge-st list' prints are written to OUT/NAME: those named, or else all of them.
"""
_CONVERT = """\
Write a model folder with a float32 ONNX graph straight from config.json and the weights in safetensors, in seconds and
without PyTorch. It takes embedding models, cross-encoders and SPLADE models of BERT and its like, ALBERT, DeBERTa,
ModernBERT, NomicBERT, GTE, Qwen3, Gemma 3 and T5. The model does not run, so the result is not compared with the
original. 'edge-st export' does that before it writes; 'edge-st verify OUT --against MODEL' does it afterwards.
"""
_DISTILL = """\
Distil a teacher into a static model: a table of token vectors, which needs no engine. With --texts the vectors are
fitted to texts of your domain and languages. Some are held out, and the result is compared with the teacher on these.
"""


def add_export(subparsers: Subparsers) -> None:
    """Register ``export``."""
    parser = subparsers.add_parser(
        "export",
        help="convert a model to run without PyTorch, and compare it with the original (needs PyTorch)",
        usage=_USAGE,
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", nargs="+", metavar="MODEL OUT", help="the model (a Hub name or a folder), and the folder to write"
    )
    parser.add_argument(
        "--engine",
        action="append",
        choices=("onnx", "openvino"),
        help="the engine to convert for; repeat it for both (default: both)",
    )
    parser.add_argument(
        "--optimize",
        choices=("O1", "O2", "O3"),
        help="add an ONNX graph that is already fused (default: none; ONNX Runtime fuses the plain graph at load)",
    )
    parser.add_argument("--fp16", action="store_true", help="as --dtype float16, and together with another --dtype")
    parser.add_argument("--revision", metavar="R", help="branch, tag or commit on the Hub")
    parser.add_argument("--token", help="for private models (default: HF_TOKEN or the stored login)")
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="let the model run its own code during the export"
    )
    _add_task(parser)
    parser.add_argument("--force", action="store_true", help="replace an existing model folder")
    parser.add_argument(
        "--dtype",
        choices=("float32", "float16", "bfloat16", "int8"),
        default="float32",
        help="what to add to the float32 graphs: float16 (onnx/model_O4.onnx) or bfloat16 (onnx/model_bf16.onnx) for "
        "GPUs, or int8 graphs",
    )
    parser.add_argument(
        "--gate",
        metavar="G",
        help="lowest cosine with the original (default: 0.99999); with --dtype int8, what int8 must keep: "
        "cosine=MEAN,p1=PERCENTILE,agreement=SHARE,ndcg=SHARE,spearman=SHARE (default: cosine=0.995,p1=0.99,"
        "agreement=0.98, other shares 0.995)",
    )
    parser.add_argument(
        "--calibration", metavar="FILE", help="texts to calibrate int8 on, one a line (default: bundled texts)"
    )
    parser.add_argument(
        "--eval", action="append", metavar="DATA", help="a data set for the gate of int8; repeat it for several"
    )
    parser.add_argument("--default-dtype", choices=("int8",), help="the dtype that the folder opens in by default")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    parser.add_argument(
        "--manifest", nargs="*", metavar="TASK | ID", help="export models of the manifest; only OUT stands before it"
    )
    parser.set_defaults(run=run_export)


def _add_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--task",
        choices=("sentence-embedding", "cross-encoder", "sparse-encoder"),
        help="what to make of a plain transformer (default: what the model says it is)",
    )


def add_convert(subparsers: Subparsers) -> None:
    """Register ``convert``."""
    parser = subparsers.add_parser(
        "convert",
        help="write the ONNX graph of a model without PyTorch",
        description=_CONVERT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="a Hub name or a folder with weights in safetensors")
    parser.add_argument("out", metavar="OUT", help="the folder to write")
    parser.add_argument("--revision", metavar="R", help="branch, tag or commit on the Hub")
    parser.add_argument("--token", help="for private models (default: HF_TOKEN or the stored login)")
    _add_task(parser)
    parser.add_argument("--force", action="store_true", help="replace an existing model folder")
    parser.set_defaults(run=run_convert)


def add_distill(subparsers: Subparsers) -> None:
    """Register ``distill``."""
    parser = subparsers.add_parser(
        "distill", help="distil a model into a table of token vectors that needs no engine", description=_DISTILL
    )
    parser.add_argument("model", metavar="MODEL", help="the teacher: a Hub name or a folder")
    parser.add_argument("out", metavar="OUT", help="the folder to write")
    parser.add_argument("--dim", type=int, default=256, metavar="D", help="dimensions of the vectors (default: 256)")
    parser.add_argument("--texts", metavar="FILE", help="a UTF-8 file with one text a line, to fit the vectors to")
    parser.add_argument(
        "--storage",
        choices=("int8", "float32"),
        default="int8",
        help="how the vectors are stored: int8 (default), or float32, which sentence-transformers loads too",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing model folder")
    parser.set_defaults(run=run_distill)


def run_export(args: argparse.Namespace) -> int:
    """Export one model, or models of the manifest; the summary goes to standard output."""
    _require_torch("edge-st export")
    from .export import export_model

    if args.manifest is not None:
        return _run_manifest(args)
    if len(args.paths) != 2:
        raise OptionError(f"export takes MODEL and OUT, found {len(args.paths)} arguments; usage: {_USAGE}")
    model, out = args.paths
    with _missed_int8_told(args):
        report = export_model(model, out, revision=args.revision, task=args.task, **_options(args))
    print(f"{report.table()}\n{report.path}: ready; load it with edge_st.{report.model_type}({str(report.path)!r})")
    return 0


@contextmanager
def _missed_int8_told(args: argparse.Namespace) -> Iterator[None]:
    """Print what was written where int8 is missing; the error then says which command accepts the best int8."""
    from .errors import ExportError
    from .report import Int8MissedError

    try:
        yield
    except Int8MissedError as error:
        print(error.report.table(), flush=True)
        if error.accepting is None:
            raise
        raise ExportError(f"{error}: {shlex.join(_again(args, str(error.accepting)))}") from error


def _again(args: argparse.Namespace, gate: str) -> list[str]:
    """The words of the same command with another ``gate``, which replaces what it wrote."""
    words = ["edge-st", "export", *args.paths]
    for name, value in vars(args).items():
        option = f"--{name.replace('_', '-')}"
        if name in ("paths", "run", "gate", "force", "token", "manifest") or value in (None, False):
            continue
        for each in value if isinstance(value, list) else [value]:
            words += [option] if each is True else [option, each]
    return [*words, "--gate", gate, "--force"]


def run_convert(args: argparse.Namespace) -> int:
    """Convert, then print how to load the model and how to compare it with the original."""
    from .builder.conversion import convert_model

    options = {"revision": args.revision, "token": args.token, "task": args.task, "force": args.force}
    made = convert_model(args.model, args.out, **options)
    out, model = shlex.quote(str(made.path)), shlex.quote(args.model)
    print(f"{out}: {megabytes(made.size)}; load it with edge_st.{made.model_type}({str(made.path)!r})")
    print(f"not compared with the original; where PyTorch is installed: edge-st verify {out} --against {model}")
    return 0


def run_distill(args: argparse.Namespace) -> int:
    """Distil; the distiller prints the result."""
    _require_torch("edge-st distill")
    from .stack import check_stack

    check_stack()
    from .static.distill import distill

    distill(args.model, args.out, dim=args.dim, texts=args.texts, storage=args.storage, force=args.force)
    return 0


def _require_torch(command: str) -> None:
    """Raise PackageMissingError without PyTorch, which ``convert`` does not need."""
    from .builder.families import FAMILIES

    if find_spec("torch") is None:
        raise PackageMissingError(
            f"{command} needs PyTorch, which is not installed; {INSTALL_EXPORT}. Models with safetensors and "
            f"the model_type {', '.join(FAMILIES)} in config.json can do without: edge-st convert MODEL OUT"
        )


def _run_manifest(args: argparse.Namespace) -> int:
    """Export the selected models one after the other; the exit code is 1 if any export failed."""
    from .original.manifest import select_models

    if len(args.paths) != 1 or args.revision is not None or args.task is not None:
        raise OptionError("with --manifest give OUT alone, without --revision and --task, which the manifest gives")
    entries, notes = select_models(args.manifest, trust_remote_code=args.trust_remote_code)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return max(_export_entries(entries, Path(args.paths[0]), _options(args)), default=0)


def _export_entries(entries: Any, out: Path, options: dict[str, Any]) -> Iterator[int]:
    """Export each entry to its folder below ``out``; yields the exit codes."""
    from .export import export_model
    from .report import Int8MissedError

    for entry in entries:
        try:
            report = export_model(entry.id, out / entry.name, revision=entry.revision, task=entry.task, **options)
        except EdgeSTError as error:
            if isinstance(error, Int8MissedError):
                print(f"{entry.id}\n{error.report.table()}", flush=True)
            print(f"edge-st: error: {entry.id}: {error}", file=sys.stderr)
            yield 1
        else:
            print(f"{entry.id}\n{report.table()}", flush=True)
            yield 0


def _options(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "engines": tuple(dict.fromkeys(args.engine or ("onnx", "openvino"))),
        "optimize": args.optimize,
        "fp16": args.fp16 or args.dtype == "float16",
        "bf16": args.dtype == "bfloat16",
        "token": args.token,
        "trust_remote_code": args.trust_remote_code,
        **_gates(args),
        "force": args.force,
        "quiet": args.quiet,
    }


def _gates(args: argparse.Namespace) -> dict[str, Any]:
    """The gate of float32, or the int8 options if int8 is asked for."""
    if args.dtype != "int8":
        given = {"--calibration": args.calibration, "--eval": args.eval, "--default-dtype": args.default_dtype}
        for name in (name for name, value in given.items() if value is not None):
            raise OptionError(f"{name} is for int8 graphs; add --dtype int8")
        return {} if args.gate is None else {"gate": _number(args.gate)}
    from edge_st.evaluation.datasets import read_dataset

    from .int8.gate import Gate, parse_gate
    from .int8.options import Int8, read_texts

    gate = Gate() if args.gate is None else parse_gate(args.gate)
    texts = None if args.calibration is None else read_texts(args.calibration)
    data = [read_dataset(path) for path in args.eval or ()]
    return {"int8": Int8(gate, texts, data, args.default_dtype == "int8")}


def _number(gate: str) -> float:
    try:
        return float(gate)
    except ValueError as error:
        raise OptionError(f"--gate is {gate!r}; expected a number such as 0.9999, or --dtype int8 with it") from error
