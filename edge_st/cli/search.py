"""``edge-st search``: the passages of text files that answer a query."""

import argparse
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_st_runtime.errors import InputError

from .shared import Subparsers, add_json, add_model, existing, load, positive, print_json

if TYPE_CHECKING:
    from edge_st import SentenceTransformer

ENDINGS = {".txt", ".md", ".markdown", ".rst"}
SNIPPET_WIDTH, SNIPPET_LINES = 88, 4


@dataclass(frozen=True, slots=True)
class Found:
    """A passage and where it stands."""

    path: str
    line: int
    text: str


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "search",
        help="rank the passages of text and Markdown files by a query",
        description=f"Rank passages by meaning. Folders are read recursively for {', '.join(sorted(ENDINGS))} files; "
        "hidden ones are left out. Files that are not UTF-8 are skipped with a note.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files and folders")
    parser.add_argument(
        "-q", "--query", action="append", required=True, type=_query, metavar="QUERY", help="may be repeated"
    )
    parser.add_argument("-k", type=positive, default=5, metavar="K", help="passages a query (default: 5)")
    add_model(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, split, embed and rank."""
    files = list(dict.fromkeys(file for path in args.paths for file in find_files(existing(path))))
    skipped: list[str] = []
    passages = list(_read(files, skipped))
    if not passages:
        raise InputError(f"no text in {', '.join(args.paths)}; expected files ending in {', '.join(sorted(ENDINGS))}")
    rankings = rank(load(args.model), args.query, passages, args.k, progress=sys.stderr.isatty())
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


def find_files(path: Path) -> Iterator[Path]:
    """The file itself, or a folder's text files, sorted; hidden files and folders are left out."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in ENDINGS:
                yield Path(folder, name)


def rank(
    model: "SentenceTransformer", queries: Sequence[str], passages: Sequence[Found], k: int, progress: bool = False
) -> list[list[tuple[float, Found]]]:
    """For every query the ``k`` most similar passages with their scores, best first."""
    from edge_st_runtime.search import top_k

    corpus = model.encode_document([passage.text for passage in passages], show_progress_bar=progress)
    scores, ids = top_k(model.encode_query(list(queries)), corpus, k, model.similarity)
    return [
        [(score, passages[number]) for score, number in zip(*row, strict=True)]
        for row in zip(scores.tolist(), ids.tolist(), strict=True)
    ]


def _read(files: Sequence[Path], skipped: list[str]) -> Iterator[Found]:
    from .passages import split_passages

    for file in files:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (UnicodeDecodeError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            print(f"edge-st: note: skipped {file}: {reason}", file=sys.stderr)
            skipped.append(str(file))
        else:
            yield from (Found(str(file), passage.line, passage.text) for passage in split_passages(text))


def _as_json(query: str, hits: list[tuple[float, Found]]) -> dict[str, object]:
    listed = [{"score": score, "path": hit.path, "line": hit.line, "text": hit.text} for score, hit in hits]
    return {"query": query, "hits": listed}


def _as_text(query: str, hits: list[tuple[float, Found]]) -> str:
    listed = [f"{score:7.3f}  {hit.path}:{hit.line}\n{_snippet(hit.text)}" for score, hit in hits]
    return "\n".join([query, *listed, ""])


def _snippet(text: str) -> str:
    lines = textwrap.wrap(
        " ".join(text.split()),
        width=SNIPPET_WIDTH,
        max_lines=SNIPPET_LINES,
        placeholder=" …",
        initial_indent=" " * 9,
        subsequent_indent=" " * 9,
    )
    return "\n".join(lines)


def _query(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("the query is empty")
    return text
