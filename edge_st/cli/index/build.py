"""``edge-st index build`` and ``add``: texts in files are added to an index, in bounded memory.

Rows that an earlier run has added are skipped.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import InputError, OptionError

from ..arguments import Subparsers, add_json, positive
from ..output import print_json
from .precisions import add_precisions, precisions

if TYPE_CHECKING:
    from edge_st_runtime.text.splitting import Chunk

    from ...index.opening import AnyIndex
    from .chunks import Row
    from .documents import InputFormat
    from .models import Model

_FORMATS = ("auto", "text", "lines", "jsonl", "csv", "tsv")
_DESCRIPTION = """\
Add texts to the index in folder PATH{made}.
The ending of a file tells its format:
  .jsonl .ndjson   one JSON object a line: its text is in --field, its id in "id" (or --id-field)
  .csv .tsv        one row a line, after a header with the names of the fields; in .tsv files quotes mean nothing
  others           one document; in folders .txt, .md, .markdown and .rst files are read, except hidden ones, and those
                   that cannot be read as UTF-8 are skipped with a note
'-' is the standard input, with one text a line unless --format says otherwise.
The id of a text is its id field; without one FILE:LINE, or FILE for a document. A text of more tokens than the model's
limit, or --max-tokens, is split into pieces: at the end of a paragraph or sentence if possible, else between words. The
first piece has the id of the text, the others ID#2, ID#3 and so on.
The metadata of a row are all other fields, with "path" and "line". Pieces also have "start" and "end" (characters of
the text); the first piece has "pieces" (how many there are), the others "of" (the id of the first).

Rows that the index already holds, with the same id and text, are skipped, so run an interrupted command again to
continue it. Blank texts are left out. Errors name the file and line; rows before that line may be in the index.
"""


def add(actions: Subparsers) -> None:
    """Register the actions."""
    made = ", which is made if needed. An existing index must have the\nsame model and settings"
    build = _parser(actions, "build", "build an index from texts in files", made)
    add_precisions(build)
    build.add_argument("--no-texts", action="store_true", help="store no texts; results have ids and metadata only")
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
    parser.add_argument("--field", default="text", metavar="F", help="the field of the text (default: text)")
    parser.add_argument("--id-field", metavar="F", help="the field of the id (default: id, if there is one)")
    parser.add_argument(
        "--drop", action="append", default=[], metavar="F", help="a field to leave out; may be repeated"
    )
    pieces = parser.add_argument_group("pieces of long texts")
    pieces.add_argument("--max-tokens", type=positive, metavar="N", help="tokens a piece (default: the model's limit)")
    pieces.add_argument(
        "--overlap",
        type=_whole,
        default=0,
        metavar="N",
        help="about how many tokens neighbouring pieces share (default: 0)",
    )
    pieces.add_argument("--no-chunks", action="store_true", help="do not split texts; the model truncates them")
    parser.add_argument(
        "--update", action="store_true", help="replace rows with the same id whose text or metadata changed"
    )
    add_json(parser)
    return parser


def run_build(args: argparse.Namespace) -> int:
    """Make the index once the first rows are read, or open the one that is there; then add the rows."""
    from ...index.opening import index_class, open_index
    from .documents import find_inputs
    from .models import load_named

    input_format, path = _input_format(args), Path(args.path)
    is_there = _check_target(path)
    files = find_inputs(args.files, input_format)
    model = load_named(args.model, index_class(path) if is_there else None)
    settings = precisions(args, model)
    counts: Counter[str] = Counter()
    if is_there:
        _check_settings(path, model, args.model, {**settings, "texts": not args.no_texts})
        with open_index(path, "a", model) as index:
            return _ingest(args, index, _portions(args, files, input_format, model, counts), counts)
    portions = _portions(args, files, input_format, model, counts)
    with _new(model, path, settings, store_texts=not args.no_texts) as index:
        return _ingest(args, index, portions, counts)


def _new(model: "Model", path: Path, settings: "Mapping[str, Any]", *, store_texts: bool) -> "AnyIndex":
    """An empty index of the kind that ``model`` fills, open to write."""
    from edge_st import Index, MultiVectorEncoder, MultiVectorIndex

    kind: Any = MultiVectorIndex if isinstance(model, MultiVectorEncoder) else Index
    made: AnyIndex = kind.build(model, [], path, [], **settings, store_texts=store_texts)
    return made


def run_add(args: argparse.Namespace) -> int:
    """Open the index with its model, then add the rows."""
    from ...index.opening import open_index
    from .documents import find_inputs
    from .models import model_of

    input_format = _input_format(args)
    files = find_inputs(args.files, input_format)
    model = model_of(args.path, args.model)
    counts: Counter[str] = Counter()
    with open_index(args.path, "a", model) as index:
        return _ingest(args, index, _portions(args, files, input_format, model, counts), counts)


def _input_format(args: argparse.Namespace) -> "InputFormat":
    from .documents import InputFormat

    if args.no_chunks and (args.max_tokens is not None or args.overlap):
        raise OptionError("--no-chunks leaves texts whole; give it without --max-tokens and --overlap")
    return InputFormat(args.format, args.field, args.id_field, frozenset(args.drop))


def _check_target(path: Path) -> bool:
    """Whether there is an index in ``path``; raises FolderError where there is anything else."""
    from edge_st_runtime.files.regular import is_there
    from edge_st_runtime.store.rows.free import check_free
    from edge_st_runtime.store.rows.index import MANIFEST
    from edge_st_runtime.store.segment_file import REPAIR

    if is_there(path / MANIFEST, REPAIR):
        return True
    check_free(path)
    return False


def _check_settings(path: Path, model: "Model", name: str | None, expected: dict[str, Any]) -> None:
    """Raise OptionError where the index in ``path`` has another model or other settings."""
    from ...index.opening import open_index
    from .models import check_same

    found = open_index(path).info()
    check_same(path, model, name, found["model"])
    other = [f"{name} {found[name]}, not {value}" for name, value in expected.items() if found[name] != value]
    if other:
        raise OptionError(
            f"{path} holds an index already, with {'; '.join(other)}. Add to that index with: edge-st index add, or "
            "choose another folder"
        )


def _portions(
    args: argparse.Namespace,
    files: dict[str, bool],
    input_format: "InputFormat",
    model: "Model",
    counts: "Counter[str]",
) -> "Iterator[list[Row]]":
    """The rows in the files. The first portion is read at once, so that its errors are raised before any work.

    Raises InputError where there are no rows.
    """
    from .chunks import as_rows
    from .documents import read_documents
    from .ingestion import in_portions
    from .summary import BLANK

    def split(texts: "Sequence[str]") -> "list[list[Chunk]]":
        return model.split(texts, args.max_tokens, args.overlap)

    if not args.no_chunks:
        split([])  # refuses a size before any file is read
    documents = read_documents(files, input_format)
    portions = in_portions(as_rows(documents, None if args.no_chunks else split, lambda: counts.update([BLANK])))
    first = next(portions, None)
    if first is None:
        raise InputError(f"no text in {', '.join(args.files)}; expected files with texts, or folders of them")
    return chain([first], portions)


def _ingest(
    args: argparse.Namespace, index: "AnyIndex", portions: "Iterable[list[Row]]", counts: "Counter[str]"
) -> int:
    """Bring the rows into the index, and print what was done with them."""
    from .ingestion import Ingestion
    from .summary import as_json, as_text, note_on_failure, row_progress

    ingestion = Ingestion(index, counts, update=args.update)
    with note_on_failure(args.path, counts), row_progress() as advance:
        for portion in portions:
            ingestion.take(portion)
            advance(len(portion))
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
