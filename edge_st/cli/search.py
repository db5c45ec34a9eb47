"""``edge-st search``: find the passages of text files that answer a query."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_st_runtime.errors import InputError, OptionError

from ..input_files import existing
from .arguments import Subparsers, add_json, add_model, load_encoder, not_blank, positive
from .output import NOTHING, print_json, snippet
from .streams import one_line
from .text_files import ENDINGS, find_files, note_skipped, read_bytes

if TYPE_CHECKING:
    from edge_st import Retriever

_WORDS = ("unicode", "letters")
_DESCRIPTION = f"""\
Rank passages by meaning, with a vector for each passage or, with a multi-vector (ColBERT) model, for each token. With
--hybrid they are ranked by words, too, and both rankings are fused. With --rerank a cross-encoder puts the best of them
in order. Folders are searched recursively for {", ".join(sorted(ENDINGS))} files; hidden ones are left out. Files that
are not UTF-8 are skipped with a note.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage, its file and the number of its first line."""

    path: str
    line: int
    text: str


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "search",
        help="find the passages of text and Markdown files that answer a query",
        description=_DESCRIPTION,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files and folders")
    parser.add_argument(
        "-q",
        "--query",
        action="append",
        required=True,
        type=not_blank,
        metavar="QUERY",
        help="the query; may be repeated",
    )
    parser.add_argument(
        "-k",
        "--top-k",
        dest="k",
        type=positive,
        default=5,
        metavar="K",
        help="passages to print for each query (default: 5)",
    )
    add_model(parser)
    parser.add_argument("--hybrid", action="store_true", help="also rank by words (BM25), and fuse both rankings")
    parser.add_argument(
        "--words",
        choices=_WORDS,
        help="what --hybrid takes for words: unicode, which serves every script (the default), or runs of letters",
    )
    parser.add_argument("--sparse", metavar="M", help="a sparse model to use in place of BM25; implies --hybrid")
    parser.add_argument("--rerank", metavar="M", help="a cross-encoder that reorders the candidates")
    parser.add_argument(
        "--candidates",
        type=positive,
        metavar="N",
        help="passages that the cross-encoder scores (default: 50, or K if that is more)",
    )
    output = parser.add_mutually_exclusive_group()
    add_json(output)
    output.add_argument(
        "--context",
        type=positive,
        metavar="N",
        help="print the best passages as one text of at most N characters for each query",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, split, embed and rank."""
    if args.candidates is not None and args.candidates < args.k:
        raise OptionError(f"--candidates {args.candidates} is less than -k {args.k}; expected at least as many")
    if args.words is not None and (args.sparse is not None or not args.hybrid):
        raise OptionError("--words says how --hybrid finds words; give it with --hybrid and without --sparse")
    files = list(dict.fromkeys(file for path in args.paths for file in find_files(existing(path))))
    skipped: list[str] = []
    passages = list(_read(files, skipped))
    if not passages:
        raise InputError(f"no text in {', '.join(args.paths)}; expected files ending in {', '.join(sorted(ENDINGS))}")
    retriever = _fill(args, passages)
    if args.context:
        print("\n\n".join(retriever.context(query, args.k, args.candidates, args.context) for query in args.query))
        return 0
    found = [retriever.search(query, args.k, args.candidates) for query in args.query]
    rankings = [[(hit["score"], passages[hit["corpus_id"]]) for hit in hits] for hits in found]
    if args.json:
        print_json(
            {
                "files": len(files) - len(skipped),
                "passages": len(passages),
                "skipped": skipped,
                "queries": [_as_json(query, hits) for query, hits in zip(args.query, rankings, strict=True)],
            }
        )
    else:
        print("\n".join(_as_text(query, hits) for query, hits in zip(args.query, rankings, strict=True)))
    return 0


def _fill(args: argparse.Namespace, passages: Sequence[Found]) -> "Retriever":
    """A retriever with the models that the options ask for; the passages' ids are their positions."""
    from edge_st import BM25, MultiVectorEncoder, Retriever

    words = BM25(args.words) if args.hybrid else None
    model, sparse = load_encoder(args.model), args.sparse or words
    if isinstance(model, MultiVectorEncoder):
        retriever = Retriever(None, sparse, args.rerank, model)
    else:
        retriever = Retriever(model, sparse, args.rerank)
    retriever.add([passage.text for passage in passages], show_progress_bar=sys.stderr.isatty())
    for query in args.query:
        if isinstance(retriever.sparse, BM25) and not retriever.sparse.scores(query).any():
            note = f"no passage has a word of {query!r}; ranked by meaning alone"
            print(f"edge-st: note: {note}", file=sys.stderr)
    return retriever


def _read(files: Sequence[Path], skipped: list[str]) -> Iterator[Found]:
    from .passages import split_passages

    for file in files:
        try:
            text = _text(file)
        except (UnicodeDecodeError, InputError, OSError) as error:
            note_skipped(file, "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error)
            skipped.append(str(file))
        else:
            yield from (Found(str(file), passage.line, passage.text) for passage in split_passages(text))


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        text = read_bytes(opened, str(file)).decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _as_json(query: str, hits: list[tuple[float, Found]]) -> dict[str, object]:
    listed = [{"score": score, "path": hit.path, "line": hit.line, "text": hit.text} for score, hit in hits]
    return {"query": query, "hits": listed}


def _as_text(query: str, hits: list[tuple[float, Found]]) -> str:
    listed = [f"{score:7.3f}  {one_line(hit.path)}:{hit.line}\n{snippet(hit.text)}" for score, hit in hits]
    return "\n".join([query, *(listed or [NOTHING]), ""])
