"""``edge-st rerank``: put documents in the order of their relevance to a query."""

import argparse
import sys
from typing import TYPE_CHECKING

from edge_st_runtime.errors import InputError

from .arguments import Subparsers, add_json, add_records, not_blank, positive
from .output import print_json, snippet
from .streams import one_line

if TYPE_CHECKING:
    from .records import Record

DESCRIPTION = """\
Read one document per line, or one JSON object per line, from files or standard input ('-', the default). Print the
documents, best first, by the scores that a cross-encoder gives them for the query. Blank lines are left out.
"""
EXAMPLES = "cross-encoder/ms-marco-MiniLM-L6-v2 or BAAI/bge-reranker-base"


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "rerank", help="rank documents for a query with a cross-encoder", description=DESCRIPTION
    )
    add_records(parser)
    parser.add_argument("-q", "--query", required=True, type=not_blank, metavar="QUERY", help="the query")
    # argparse passes the default through the type, whose error for a missing model gives examples
    parser.add_argument(
        "--model",
        default="",
        type=_model,
        metavar="M",
        help=f"the cross-encoder (required): a folder or a Hub id, such as {EXAMPLES}",
    )
    parser.add_argument(
        "-k", "--top-k", dest="k", type=positive, metavar="K", help="the number of documents to print (default: all)"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read all documents, then score and print them."""
    from edge_st import CrossEncoder

    from .records import check_files, read_records

    check_files(args.files)
    records = [record for record in read_records(args.files, args.format, args.field) if record.text.strip()]
    if not records:
        names = ", ".join("standard input" if name == "-" else name for name in args.files)
        raise InputError(f"no text in {names}; expected one document per line")
    texts = [record.text for record in records]
    ranked = CrossEncoder(args.model).rank(args.query, texts, args.k, show_progress_bar=sys.stderr.isatty())
    hits = [(rank, hit["score"], records[hit["corpus_id"]]) for rank, hit in enumerate(ranked, 1)]
    if args.json:
        print_json({"query": args.query, "documents": len(records), "hits": [_as_json(*hit) for hit in hits]})
    else:
        print("\n".join(_as_text(*hit) for hit in hits))
    return 0


def _as_json(rank: int, score: float, record: "Record") -> dict[str, object]:
    key = {} if record.id is None else {"id": record.id}
    return {"rank": rank, "score": score, "path": record.path, "line": record.line, **key, "text": record.text}


def _as_text(rank: int, score: float, record: "Record") -> str:
    place = f"{record.path}:{record.line}" if record.id is None else record.id
    return f"{rank:4}  {score:7.3f}  {one_line(place)}\n{snippet(record.text)}"


def _model(name: str) -> str:
    if not name:
        raise argparse.ArgumentTypeError(
            f"no reranker is bundled; give a folder or a model on the Hub, such as {EXAMPLES}"
        )
    return name
