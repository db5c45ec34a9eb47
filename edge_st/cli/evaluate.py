"""``edge-st eval``: what models, engines, precisions and dimensions cost, on data of one's own."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import OptionError

from ..memory import megabytes
from .arguments import Subparsers, add_json, positive
from .output import print_json, table

if TYPE_CHECKING:
    from ..comparison.results import Difference, Interval, Result
    from ..evaluation.datasets import Dataset

DESCRIPTION = """\
Measure one or several models on one or several data sets, side by side: quality with its 95 % confidence interval and
what a paired randomization test says of the difference to the first row, speed, the process' peak memory, dimension,
and bytes a vector. Each model, engine and dtype runs in a process of its own. What it gave, and how fast, is kept, so
that an interrupted command goes on where it was; another --cache measures anew. Options that take several values go
after the paths.

Among the paths, files and folders of these kinds are data, the others models (folders or Hub names; none: the bundled
model):
  a folder in BEIR's layout (corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv), or one of its qrels files to name the split
  .tsv: score TAB sentence1 TAB sentence2 (0 to 5: STS; 0 or 1: pairs), or anchor TAB positive TAB negative
  .csv with a header, .jsonl: sentence1, sentence2, score or label; or anchor, positive, negative
"""
_HEAD = ("variant", "quality", "95 %", "to the first", "paired test", "a second", "memory", "dim", "bytes")


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "eval",
        help="measure models on data sets, side by side",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", metavar="MODEL|DATA", help="models, and at least one data set")
    parser.add_argument("--backend", nargs="+", default=["auto"], metavar="B", help="engines to compare, such as onnx")
    parser.add_argument("--dtype", nargs="+", default=["auto"], metavar="T", help="such as float32 int8")
    parser.add_argument("--truncate-dim", nargs="+", type=positive, metavar="D", help="dimensions to cut embeddings to")
    parser.add_argument(
        "--precision",
        nargs="+",
        default=["float32"],
        choices=("float32", "int8", "uint8", "binary", "ubinary"),
        help="what embeddings are kept in; of retrieval sets those of the documents",
    )
    parser.add_argument(
        "--candidates",
        type=positive,
        metavar="N",
        help="documents a query, the best by BM25, that a cross-encoder ranks (default: 20)",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with charts; needs edge-st[report]")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="where outputs are kept (default: ~/.cache/edge-st/eval)"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare, and print a table for each data set."""
    from ..comparison.cache import default_folder
    from ..comparison.compare import compare
    from ..comparison.inputs import CANDIDATES
    from ..comparison.page import check_page, write_page
    from ..comparison.plan import ModelConfiguration, Plan

    if args.html:
        check_page(args.html)
    models, data = split(args.paths)
    names = Counter(Path(model).name for model in models if model)
    told_apart = [(model, model if model and names[Path(model).name] > 1 else "") for model in models]
    hows = list(product(dict.fromkeys(args.backend), dict.fromkeys(args.dtype)))
    plan = Plan(
        configurations=[ModelConfiguration(model, *how, name=name) for model, name in told_apart for how in hows],
        data=data,
        cache=args.cache or default_folder(),
        truncate_dims=list(dict.fromkeys(args.truncate_dim or [None])),
        precisions=list(dict.fromkeys(args.precision)),
        candidates=args.candidates or CANDIDATES,
        show_progress=sys.stderr.isatty(),
    )
    results = list(compare(plan))
    if args.html:
        write_page(results, args.html, "edge-st eval: " + ", ".join(each.name for each in data))
    if args.json:
        print_json([as_record(result) for result in results])
    else:
        print("\n\n".join(_tables(results)))
    return 0


def split(paths: Sequence[str]) -> tuple[list[str | None], list["Dataset"]]:
    """The models (None: the bundled one) and the data sets among ``paths``; raises OptionError without a data set."""
    from ..evaluation.datasets import is_dataset, read_dataset

    chosen: dict[Path, str] = {}
    for path in filter(is_dataset, paths):
        chosen.setdefault(Path(path).resolve(), path)
    if not chosen:
        raise OptionError(
            f"no data set among {', '.join(map(repr, paths))}; name a .tsv, .csv or .jsonl file of pairs or triplets, "
            "or a folder with corpus.jsonl, queries.jsonl and qrels/"
        )
    found = {path: read_dataset(path) for path in chosen.values()}
    names = Counter(data.name for data in found.values())
    data = [each if names[each.name] == 1 else replace(each, name=path) for path, each in found.items()]
    models: list[str | None] = list(dict.fromkeys(path for path in paths if not is_dataset(path)))
    return models or [None], data


def as_record(result: "Result") -> dict[str, Any]:
    """A result as JSON has it; the scores of single pairs are left out."""
    left_out = ("known", "random", "worst")
    record = {name: value for name, value in asdict(result).items() if name not in left_out}
    if result.difference:
        record["difference"]["real"] = result.difference.significant
    return _without_nan(record)


def _without_nan(value: Any) -> Any:
    """The same with None in place of NaN, which JSON has not."""
    if isinstance(value, dict):
        return {name: _without_nan(of) for name, of in value.items()}
    return None if value != value else value


def _tables(results: Sequence["Result"]) -> Iterator[str]:
    for data in dict.fromkeys(result.data for result in results):
        own = [result for result in results if result.data == data]
        yield f"{data}: {own[0].measure} of {own[0].items:,} items\n" + table([_HEAD, *map(_cells, own)], indent="  ")


def _cells(result: "Result") -> tuple[str, ...]:
    from ..comparison.results import speed

    variant = result.variant
    return (
        variant.label,
        f"{result.quality.value:.4f}",
        _range(result.quality),
        *_difference(result.difference),
        speed(variant),
        megabytes(variant.peak_memory) if variant.peak_memory else "-",
        "-" if variant.dimension is None else str(variant.dimension),
        "-" if variant.vector_bytes is None else f"{variant.vector_bytes:,.0f}",
    )


def _difference(difference: "Difference | None") -> tuple[str, str]:
    if difference is None:
        return "", ""
    return f"{difference.interval.value:+.4f}", f"{difference.verdict}, p {difference.p_value:.3f}"


def _range(interval: "Interval") -> str:
    return f"{interval.low:.3f}-{interval.high:.3f}"
