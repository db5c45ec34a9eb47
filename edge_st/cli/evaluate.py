"""``edge-st eval``: models, engines, precisions and dimensions compared on the user's own data."""

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
Compare models on data sets. For each data set a table shows
  the quality of each model with its 95 % confidence interval
  the difference to the first row, with the verdict of a paired randomization test
  speed, the peak memory of the process, the dimension, and bytes per vector
Every combination of model, engine and dtype runs in a process of its own. Outputs and timings are kept in a cache: run
an interrupted command again to continue it, and choose another --cache to measure anew.

These paths are data sets:
  a folder in BEIR's layout (corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv); one of its qrels files chooses the split
  .tsv files with score TAB sentence1 TAB sentence2 (scores 0 to 5: STS; 0 or 1: pairs), or anchor TAB positive TAB
  negative; quotes mean nothing
  .csv files with a header and .jsonl files, with sentence1, sentence2, score or label; or anchor, positive, negative
All other paths are models: folders or Hub ids. Without one, the bundled model is measured. Options that take several
values go after the paths.
"""
_HEAD = ("variant", "quality", "95 %", "to the first", "paired test", "per second", "memory", "dim", "bytes")


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "eval",
        help="compare models on data sets: quality, speed, memory",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", metavar="MODEL|DATA", help="models, and at least one data set")
    _add_variants(parser)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with charts (needs edge-st[report])")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="the folder for outputs and timings (default: ~/.cache/edge-st/eval)"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def _add_variants(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which variants of each model are compared."""
    parser.add_argument(
        "--backend",
        nargs="+",
        default=["auto"],
        metavar="B",
        help="engines to compare, such as onnx openvino (default: auto)",
    )
    parser.add_argument(
        "--dtype",
        nargs="+",
        default=["auto"],
        metavar="T",
        help="dtypes to compare, such as float32 int8 (default: auto)",
    )
    parser.add_argument(
        "--truncate-dim",
        nargs="+",
        type=positive,
        metavar="D",
        help="dimensions to truncate embeddings to (default: all of the model's)",
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        default=["float32"],
        choices=("float32", "int8", "uint8", "binary", "ubinary"),
        help="precisions to keep embeddings in; on retrieval sets only those of documents (default: float32)",
    )
    parser.add_argument(
        "--candidates",
        type=positive,
        metavar="N",
        help="the number of documents that a cross-encoder ranks for each query, the best by BM25 (default: 20)",
    )


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
    options = list(product(dict.fromkeys(args.backend), dict.fromkeys(args.dtype)))
    plan = Plan(
        configurations=[ModelConfiguration(model, *each, name=name) for model, name in told_apart for each in options],
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
    """The models and the data sets among ``paths``; the bundled model is None.

    Raises OptionError where there is no data set.
    """
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
    """A result as a JSON object, without the scores of single pairs."""
    left_out = ("known", "random", "worst")
    record = {name: value for name, value in asdict(result).items() if name not in left_out}
    if result.difference:
        record["difference"]["real"] = result.difference.significant
    return _without_nan(record)


def _without_nan(value: Any) -> Any:
    """The same with None in place of NaN, which JSON does not have."""
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
