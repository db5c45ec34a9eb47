"""``edge-st index build`` and ``add``: files into an index, in bounded memory, from where the last run stopped."""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import InputError, NotAFolderError, OptionError

from ..arguments import Subparsers, add_json, positive
from ..output import print_json

if TYPE_CHECKING:
    from edge_st import Index, SentenceTransformer
    from edge_st_runtime.text.splitting import Chunk

    from .chunks import Row
    from .documents import Form

_FORMATS = ("auto", "text", "lines", "jsonl", "csv", "tsv")
_PRECISIONS = ("float32", "float16", "int8", "binary")
_DESCRIPTION = """\
Add texts to the index in folder PATH{made}.
What files hold is told by their endings:
  .jsonl .ndjson   an object a line: its text is in --field, its id in "id" (or --id-field)
  .csv .tsv        a row a line, with the names of the same fields in the first one
  others           a document; of folders .txt, .md, .markdown and .rst files, hidden ones left out
'-' is the standard input, a text a line unless --format says otherwise. A text that is longer than the model reads is
split between words, at the end of a sentence or paragraph if it can be. An id is the row's own, or FILE:LINE, or FILE
for a document; further pieces of a text are called ID#2, ID#3 and so on. All other fields are kept as metadata,
together with "path" and "line", and of a piece "start" and "end", which count characters, and "of", the id of the first
one, which has their number as "pieces".

What the index holds already, by id and text, is skipped, so that an interrupted command may simply be given again.
Blank texts are left out. All that goes wrong is told with file and line; rows before it may be in the index then.
"""


def add(actions: Subparsers) -> None:
    """Register the actions."""
    made = ", which is made, or which a run of the same\nmodel and settings has begun"
    build = _parser(actions, "build", "make an index of texts in files", made)
    build.add_argument(
        "--precision",
        choices=_PRECISIONS,
        default="float32",
        help="how vectors are kept and scanned (default: float32)",
    )
    build.add_argument(
        "--rescore", choices=_PRECISIONS[:3], help="keep a finer copy by which the best of a scan are put in order"
    )
    build.add_argument("--no-texts", action="store_true", help="keep no texts; results have ids and metadata alone")
    build.set_defaults(run=run_build)
    _parser(actions, "add", "add texts in files to an index", "").set_defaults(run=run_add)


def _parser(actions: Subparsers, name: str, summary: str, made: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name,
        help=summary,
        description=_DESCRIPTION.format(made=made),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="the folder of the index")
    parser.add_argument("files", nargs="+", metavar="FILE", help="files and folders, '-' for standard input")
    default = "the bundled model" if name == "build" else "the one it was built with"
    parser.add_argument(
        "--model", metavar="M", help=f"a model folder, an installed model or a Hub id (default: {default})"
    )
    parser.add_argument("--format", choices=_FORMATS, default="auto", help="default: by the ending of each file")
    parser.add_argument("--field", default="text", metavar="F", help="the field that holds the text (default: text)")
    parser.add_argument("--id-field", metavar="F", help="the field that holds the id (default: id, where there is one)")
    parser.add_argument(
        "--drop", action="append", default=[], metavar="F", help="a field to leave out; may be repeated"
    )
    pieces = parser.add_argument_group("pieces of long texts")
    pieces.add_argument("--max-tokens", type=positive, metavar="N", help="tokens a piece (default: the model's limit)")
    pieces.add_argument(
        "--overlap", type=_whole, default=0, metavar="N", help="tokens that neighbours share, about (default: 0)"
    )
    pieces.add_argument("--no-chunks", action="store_true", help="keep texts whole; the model cuts what is too long")
    parser.add_argument(
        "--update", action="store_true", help="replace rows of the same id whose text or metadata changed"
    )
    add_json(parser)
    return parser


def run_build(args: argparse.Namespace) -> int:
    """Make the index when the first texts are there, or go on with the one that is; fill it."""
    from edge_st import Index

    from .documents import find_inputs
    from .models import load_named

    form, path = _form(args), Path(args.path)
    is_there = _check_target(path)
    files = find_inputs(args.files, form)
    model = load_named(args.model)
    settings = {"precision": args.precision, "rescore": args.rescore}
    counts: Counter[str] = Counter()
    if is_there:
        _check_settings(path, model, args.model, {**settings, "texts": not args.no_texts})
        with Index.open(path, "a", model) as index:
            return _fill(args, index, _portions(args, files, form, model, counts), counts)
    portions = _portions(args, files, form, model, counts)
    with Index.build(model, [], path, [], **settings, store_texts=not args.no_texts) as index:
        return _fill(args, index, portions, counts)


def run_add(args: argparse.Namespace) -> int:
    """Open the index with its model, and fill it."""
    from edge_st import Index

    from .documents import find_inputs
    from .models import model_of

    form = _form(args)
    files = find_inputs(args.files, form)
    model = model_of(args.path, args.model)
    counts: Counter[str] = Counter()
    with Index.open(args.path, "a", model) as index:
        return _fill(args, index, _portions(args, files, form, model, counts), counts)


def _form(args: argparse.Namespace) -> "Form":
    from .documents import Form

    if args.no_chunks and (args.max_tokens is not None or args.overlap):
        raise OptionError("--no-chunks leaves texts whole; expected no --max-tokens and no --overlap with it")
    return Form(args.format, args.field, args.id_field, frozenset(args.drop))


def _check_target(path: Path) -> bool:
    """Whether there is an index; raises where something else is there."""
    from edge_st_runtime.store.dense.index import MANIFEST

    if (path / MANIFEST).exists():
        return True
    if path.exists() and not path.is_dir():
        raise NotAFolderError(f"{path} is a file; expected the folder of the index before the names of the files")
    inside = path.iterdir() if path.exists() else ()
    other = next((found.name for found in inside if not found.name.startswith(".")), None)
    if other is not None:
        raise OptionError(f"{path} holds no index but {other}; expected a folder that is new or empty")
    return False


def _check_settings(path: Path, model: "SentenceTransformer", name: str | None, wanted: dict[str, Any]) -> None:
    """Raise OptionError where the index that is there was made by another model, or with other settings."""
    from edge_st import Index

    from .models import check_same

    found = Index.open(path).info()
    check_same(path, model, name, found["model"])
    other = [f"{name} {found[name]}, not {value}" for name, value in wanted.items() if found[name] != value]
    if other:
        raise OptionError(
            f"{path} holds an index already, with {'; '.join(other)}. Add to it as it is with: edge-st index add, or "
            "choose another folder"
        )


def _portions(
    args: argparse.Namespace, files: list[str], form: "Form", model: "SentenceTransformer", counts: "Counter[str]"
) -> "Iterator[list[Row]]":
    """The rows that the files hold; the first are read here, so that what is wrong there is told before any work.

    Raises InputError where there are none.
    """
    from .chunks import as_rows
    from .documents import read_documents
    from .filling import BLANK, in_portions

    def split(texts: "Sequence[str]") -> "list[list[Chunk]]":
        return model.split(texts, args.max_tokens, args.overlap)

    if not args.no_chunks:
        split([])  # refuses a size before any file is read
    documents = read_documents(files, form)
    portions = in_portions(as_rows(documents, None if args.no_chunks else split, lambda: counts.update([BLANK])))
    first = next(portions, None)
    if first is None:
        raise InputError(f"no text in {', '.join(args.files)}; expected files with texts, or folders of them")
    return chain([first], portions)


def _fill(args: argparse.Namespace, index: "Index", portions: "Iterable[list[Row]]", counts: "Counter[str]") -> int:
    """Take the rows into the index, and say what became of them."""
    from .counts import as_json, as_text, progress, saying_how_far
    from .filling import Filling

    filling = Filling(index, counts, update=args.update)
    with saying_how_far(args.path, counts), progress() as done:
        for portion in portions:
            filling.take(portion)
            done(len(portion))
    if args.json:
        print_json({"path": args.path, "rows": len(index), **as_json(counts)})
    else:
        print(f"{args.path}: {as_text(counts)}; {len(index)} rows now")
    return 0


def _whole(text: str) -> int:
    """The type of an option that takes a whole number."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)
