"""``edge-st embed``: texts in, vectors out, streaming in bounded memory."""

import argparse
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import OptionError

from .arguments import Subparsers, add_model, add_records, load, positive

if TYPE_CHECKING:
    from edge_st import SentenceTransformer

    from .records import Record
    from .writers import Key, Row

PRECISIONS = ("float32", "binary", "ubinary")
DESCRIPTION = """\
Embed one text per line, or one JSON object per line, from files or the standard input ('-', the default).
Blank lines of plain text are texts too (""), so that row n belongs to line n; blank JSONL lines are skipped.
OUT.npy gets an array (texts, dimension) in input order; OUT.jsonl, and '-' for the standard output, get one
{"index": 0, "embedding": [...]} a line, with the object's own "id" in place of "index" where it has one.
"""


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "embed",
        help="embed lines or JSONL into .npy or .jsonl",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_records(parser)
    parser.add_argument("-o", "--output", required=True, type=_output, metavar="OUT", help="OUT.npy, OUT.jsonl or '-'")
    add_model(parser)
    parser.add_argument("--prompt-name", metavar="NAME", help="one of the model's prompts, such as query")
    parser.add_argument("--normalize", action="store_true", help="scale every vector to length 1")
    parser.add_argument("--precision", type=_precision, default="float32", help=" | ".join(PRECISIONS))
    parser.add_argument("--truncate-dim", type=positive, metavar="D", help="keep the first D dimensions")
    parser.add_argument(
        "--batch-size", type=positive, default=32, metavar="N", help="texts a batch at most (default: 32)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check the files, then stream records through the model into the output."""
    from .records import read_records

    _check_files(args.files, args.output)
    model = load(args.model)
    options = {
        "prompt_name": args.prompt_name,
        "normalize_embeddings": args.normalize,
        "precision": args.precision,
        "truncate_dim": args.truncate_dim,
        "batch_size": args.batch_size,
    }
    keys: deque[Key] = deque()
    texts = _remember_keys(read_records(args.files, args.format, args.field), keys)
    rows = _progress(model.encode_iter(texts, **options))
    count = _write(args.output, rows, keys, model, options)
    if args.output != "-":
        print(f"{args.output}: {count} embeddings", file=sys.stderr)
    return 0


def _remember_keys(records: "Iterable[Record]", keys: "deque[Key]") -> Iterator[str]:
    """The texts; each one's key is queued until its vector comes out, in the same order."""
    for index, record in enumerate(records):
        keys.append(("index", index) if record.id is None else ("id", record.id))
        yield record.text


def _write(
    output: str, rows: "Iterator[Row]", keys: "deque[Key]", model: "SentenceTransformer", options: dict[str, Any]
) -> int:
    from edge_st_runtime.files.writing import replacing

    from .writers import write_jsonl, write_npy

    keyed = ((keys.popleft(), row) for row in rows)
    if output == "-":
        return write_jsonl(sys.stdout, keyed)
    with replacing(Path(output)) as part:
        if output.endswith(".jsonl"):
            with part.open("x", encoding="utf-8", newline="\n") as text_file:
                return write_jsonl(text_file, keyed)
        with part.open("xb") as binary_file:
            return write_npy(binary_file, (row for _, row in keyed), model.encode([], **options))


def _progress(rows: "Iterator[Row]") -> "Iterator[Row]":
    if not sys.stderr.isatty():
        return rows
    from tqdm import tqdm

    return iter(tqdm(rows, unit=" texts"))


def _check_files(files: list[str], output: str) -> None:
    """Everything that can be known before the model is loaded."""
    from .records import check_files

    target = None if output == "-" else Path(output).resolve()
    if target is not None and not target.parent.is_dir():
        raise OptionError(f"the folder of the output does not exist: {target.parent}; make it first")
    check_files(files)
    for name in files:
        if name != "-" and Path(name).resolve() == target:
            raise OptionError(f"{name} is input and output at once; choose another output")


def _output(text: str) -> str:
    if text != "-" and Path(text).suffix not in {".npy", ".jsonl"}:
        raise argparse.ArgumentTypeError(f"{text!r} ends neither in .npy nor in .jsonl, and is not '-'")
    return text


def _precision(text: str) -> str:
    if text in {"int8", "uint8"}:
        raise argparse.ArgumentTypeError(
            f"{text} needs the range of all embeddings, which a stream does not know; write float32 and quantize the "
            f"array with edge_st.quantize_embeddings, or take one of: {', '.join(PRECISIONS)}"
        )
    if text not in PRECISIONS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of: {', '.join(PRECISIONS)}")
    return text
