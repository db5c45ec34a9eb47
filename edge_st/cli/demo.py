"""``edge-st demo``: similarity, search, speed and memory on a small built-in corpus."""

import argparse
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..memory import megabytes, peak_memory
from .arguments import Subparsers, add_json, add_model, load
from .output import print_json, table

if TYPE_CHECKING:
    from edge_st import SentenceTransformer

SPEED_TEXTS = 1000
TOP = 3


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of the demo. ``similarity`` is (3, 3), of every two ``sentences``; ``peak_memory`` is in bytes."""

    model: str
    engine: str
    dtype: str
    dimension: int
    load_seconds: float
    sentences: list[str]
    similarity: list[list[float]]
    searches: list[dict[str, object]]
    speed_texts: int
    texts_per_second: float
    peak_memory: int | None


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "demo",
        help="embed, compare and search a few built-in sentences, and show the speed",
        description="Embed and compare three sentences, search a small corpus, and measure speed and memory.",
    )
    add_model(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    report = measure(args.model)
    if args.json:
        print_json(asdict(report))
    else:
        print(_as_text(report))
    return 0


def measure(name: str | None) -> Report:
    """Load the model, compare, search and time."""
    from .demo_texts import TRIPLE

    start = time.perf_counter()
    model = load(name)
    load_seconds = time.perf_counter() - start
    triple, info = model.encode(list(TRIPLE)), model.info()
    return Report(
        model=name or "the bundled model",
        engine=info["engine"],
        dtype=info["dtype"],
        dimension=int(triple.shape[1]),
        load_seconds=load_seconds,
        sentences=list(TRIPLE),
        similarity=model.similarity(triple, triple).tolist(),
        searches=_searches(model),
        speed_texts=SPEED_TEXTS,
        texts_per_second=_speed(model),
        peak_memory=peak_memory(),
    )


def _searches(model: "SentenceTransformer") -> list[dict[str, object]]:
    from edge_st import Retriever

    from .demo_texts import CORPUS, QUERIES

    retriever = Retriever(model)
    retriever.add(CORPUS)
    found = {query: retriever.search(query, TOP) for query in QUERIES}
    return [
        {"query": query, "hits": [{"score": hit["score"], "text": hit["text"]} for hit in hits]}
        for query, hits in found.items()
    ]


def _speed(model: "SentenceTransformer") -> float:
    """Texts per second, measured in one call with distinct short texts."""
    from .demo_texts import CORPUS

    texts = [f"{CORPUS[number % len(CORPUS)]} ({number})" for number in range(SPEED_TEXTS)]
    start = time.perf_counter()
    model.encode(texts)
    return SPEED_TEXTS / (time.perf_counter() - start)


def _as_text(report: Report) -> str:
    width = max(map(len, report.sentences))
    matrix = [
        f"  {number}  {text:<{width}}" + "".join(f"{score:7.2f}" for score in row)
        for number, (text, row) in enumerate(zip(report.sentences, report.similarity, strict=True), 1)
    ]
    heads = "".join(f"{number:7}" for number in range(1, len(matrix) + 1))
    memory = "not known on this system" if report.peak_memory is None else megabytes(report.peak_memory)
    figures = [
        ("model", f"{report.model}, {report.dimension} dimensions, loaded in {report.load_seconds:.2f} s"),
        ("runs on", f"{report.engine}, {report.dtype}"),
        ("speed", f"{report.texts_per_second:,.0f} texts/s ({report.speed_texts:,} short texts, one run)"),
        ("memory", f"{memory} at peak, the whole process"),
    ]
    blocks = ["Similarity\n" + " " * (width + 5) + heads, *matrix]
    searches = [f"Search: {search['query']}\n{_hits(search['hits'])}\n" for search in report.searches]
    return "\n".join([*blocks, "", *searches, table(figures)])


def _hits(hits: object) -> str:
    assert isinstance(hits, list)
    return "\n".join(f"{hit['score']:7.2f}  {hit['text']}" for hit in hits)
