"""``edge-st embed``: texts in, embeddings out, as a stream in bounded memory."""

import argparse
import math
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import OptionError

from .arguments import Subparsers, add_model, add_records, load, positive

if TYPE_CHECKING:
    from edge_st import SentenceTransformer

    from .embedding_files import Key, Row
    from .records import Record

_LONGEST = 2**24
PRECISIONS = ("float32", "binary", "ubinary")
DESCRIPTION = """\
Embed one text per line, or one JSON object per line, from files or standard input ('-', the default).
A blank line of plain text is embedded as an empty text, so that row n belongs to line n. Blank JSONL lines are skipped.
Of a line of more than 16 MiB, models with a token limit read the first and the last 8 MiB; for other models, and as
JSONL, it is refused.
OUT.npy gets an array (texts, dimension) in the order of the input. OUT.jsonl, or '-' for standard output, gets one
{"index": 0, "embedding": [...]} per line; an object that has an "id" keeps it in place of "index".
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
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=_output,
        metavar="OUT",
        help="OUT.npy, OUT.jsonl, or '-' for standard output",
    )
    add_model(parser)
    parser.add_argument("--prompt-name", metavar="NAME", help="the name of one of the model's prompts, such as query")
    parser.add_argument("--normalize", action="store_true", help="scale every vector to length 1")
    parser.add_argument(
        "--precision", type=_precision, default="float32", help=f"{', '.join(PRECISIONS)} (default: float32)"
    )
    parser.add_argument("--truncate-dim", type=positive, metavar="D", help="keep the first D dimensions")
    parser.add_argument(
        "--batch-size", type=positive, default=32, metavar="N", help="most texts in a batch (default: 32)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check the files, then stream texts through the model into the output."""
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
    limited = math.isfinite(model.max_seq_length or math.inf)
    texts = _remember_keys(read_records(args.files, args.format, args.field, _LONGEST, cut=limited), keys)
    rows = _progress(model.encode_iter(texts, **options))
    count = _write(args.output, rows, keys, model, options)
    if args.output != "-":
        print(f"{args.output}: {count} embeddings", file=sys.stderr)
    return 0


def _remember_keys(records: "Iterable[Record]", keys: "deque[Key]") -> Iterator[str]:
    """The texts. The key of each is queued until its vector comes out; both keep the order."""
    for index, record in enumerate(records):
        keys.append(("index", index) if record.id is None else ("id", record.id))
        yield record.text


def _write(
    output: str, rows: "Iterator[Row]", keys: "deque[Key]", model: "SentenceTransformer", options: dict[str, Any]
) -> int:
    from edge_st_runtime.files.writing import replacing

    from .embedding_files import write_jsonl, write_npy

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
    """Raise OptionError for files that cannot be read or written, before the model is loaded."""
    from .records import check_files

    check_files(files)
    target = None if output == "-" else Path(output).resolve()
    if target is not None and not target.parent.is_dir():
        raise OptionError(f"the folder of the output does not exist: {target.parent}; make it first")
    for name in files:
        if name != "-" and Path(name).resolve() == target:
            raise OptionError(f"{name} is both input and output; choose another output")


def _output(text: str) -> str:
    if text != "-" and Path(text).suffix not in {".npy", ".jsonl"}:
        raise argparse.ArgumentTypeError(
            f"{text!r} ends neither in .npy nor in .jsonl, and is not '-' (standard output)"
        )
    return text


def _precision(text: str) -> str:
    if text in {"int8", "uint8"}:
        raise argparse.ArgumentTypeError(
            f"{text} needs the range of all embeddings, which is not known while they are streamed; write float32 and "
            f"quantize the array with edge_st.quantize_embeddings, or choose one of: {', '.join(PRECISIONS)}"
        )
    if text not in PRECISIONS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of: {', '.join(PRECISIONS)}")
    return text
