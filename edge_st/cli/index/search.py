"""``edge-st index search``: the rows of an index that are nearest to a query."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from edge_st_runtime.errors import OptionError

from ..arguments import Subparsers, add_json, not_blank, positive
from ..output import NOTHING, print_json, snippet
from ..streams import one_line

_DESCRIPTION = """\
Rank the rows of the index in folder PATH by their similarity to a query. --filter KEY=VALUE finds only rows with this
value in their metadata: a text as it is, or a number, true, false or null as in JSON. Repeat a key to allow several
values; with several keys a row must match each of them.
"""


def add(actions: Subparsers) -> None:
    """Register the action."""
    parser = actions.add_parser(
        "search",
        help="find the rows nearest to a query",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="the folder of the index")
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
        "-k", "--top-k", dest="k", type=positive, default=5, metavar="K", help="rows for each query (default: 5)"
    )
    parser.add_argument(
        "--filter", action="append", default=[], type=_pair, metavar="KEY=VALUE", help="may be repeated"
    )
    parser.add_argument("--min-score", type=float, metavar="S", help="leave out rows with a score below S")
    parser.add_argument("--model", metavar="M", help="the model of the index, if it is not found by the recorded name")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Open, search and print."""
    from ...index.opening import open_index
    from .models import model_of

    index = open_index(args.path, model=model_of(args.path, args.model))
    found = index.search(args.query, args.k, _filter(args.filter), score_threshold=args.min_score)
    if args.json:
        listed = [
            {"query": query, "hits": [_as_json(hit) for hit in hits]}
            for query, hits in zip(args.query, found, strict=True)
        ]
        print_json({"rows": len(index), "queries": listed})
    else:
        print("\n".join(_as_text(query, hits) for query, hits in zip(args.query, found, strict=True)))
    return 0


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (key and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE, such as lang=en")
    return key, value


def _filter(pairs: Sequence[tuple[str, str]]) -> dict[str, list[Any]] | None:
    """The values that each key may have: the text itself, and what it means in JSON."""
    allowed: dict[str, list[Any]] = {}
    for key, value in pairs:
        allowed.setdefault(key, []).extend([value, *_from_json(value)])
    return allowed or None


def _from_json(value: str) -> list[Any]:
    try:
        return [json.loads(value)]
    except ValueError:
        return []
    except RecursionError as error:
        raise OptionError(f"--filter: {value[:40]!r} is nested too deep; expected a text or a number") from error


def _as_json(hit: dict[str, Any]) -> dict[str, Any]:
    return {
        "score": hit["score"],
        "id": hit["corpus_id"],
        **{key: hit[key] for key in ("text", "metadata") if key in hit},
    }


def _as_text(query: str, hits: Sequence[dict[str, Any]]) -> str:
    return "\n".join([query, *(map(_as_lines, hits) if hits else [NOTHING]), ""])


def _as_lines(hit: dict[str, Any]) -> str:
    """Score, id, place (unless the id says it), and the beginning of the text."""
    metadata, name = hit["metadata"], str(hit["corpus_id"])
    place = f"{metadata['path']}:{metadata['line']}" if {"path", "line"} <= metadata.keys() else name
    first = f"{hit['score']:7.3f}  {name}" + ("" if place == name else f"  {place}")
    first = one_line(first)
    return f"{first}\n{snippet(hit['text'])}" if "text" in hit else first
