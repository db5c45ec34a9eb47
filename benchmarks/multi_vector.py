"""Late interaction: encoding beside sentence-transformers and fastembed, the index, and the quality of search.

Run ``python benchmarks/multi_vector.py --minilm FOLDER --data scifact`` with an exported all-MiniLM-L6-v2 and a folder
in BEIR's layout. Three parts follow each other; ``--parts`` chooses some of them.

encoding: ColBERT models of 33 and 110 million parameters with random weights, made and exported in the environment
"export" in ``--work``, where a later run finds them. Every peer runs in a process of its own environment; the peers are
measured in turn on the same cores. Printed are documents and queries per second and their ratio to torch's, the lowest
cosine of a token's vector to torch's, and resident megabytes.

index: ``--passages`` passages around the token vectors of the data set, searched by edge-st's index, by fast-plaid and
by exact MaxSim in NumPy. Printed are bytes a passage, seconds to build, milliseconds a query and recall@10.

quality: nDCG@10 of the token vectors of all-MiniLM-L6-v2, which was not trained for it: exact, pooled by 2, in int8,
and through the index.
"""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from disturbance import disturbance
from harness import common_parser
from late_encoding import SIZES, measure_encoding
from late_quality import measure_quality
from late_search import measure_search

PARTS = {"encoding": measure_encoding, "index": measure_search, "quality": measure_quality}


def main() -> None:
    """Measure and print."""
    options = _parser().parse_args()
    with ExitStack() as stack:
        if options.work is None:
            options.work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options.work.mkdir(parents=True, exist_ok=True)
        for part in options.parts:
            print(f"\n{part}")
            with disturbance():
                PARTS[part](options)


def _parser() -> argparse.ArgumentParser:
    made = common_parser(__doc__)
    made.add_argument("--minilm", type=Path, required=True, help="an exported all-MiniLM-L6-v2")
    made.add_argument("--data", type=Path, required=True, help="a folder in BEIR's layout, such as SciFact's")
    made.add_argument("--split", default="train", help="the queries are taken from qrels/SPLIT.tsv")
    made.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    made.add_argument("--work", type=Path, help="the folder that models and indexes are made and kept in")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="the models of the encoding")
    made.add_argument("--no-int8", action="store_true", help="leave out int8, which takes minutes to export")
    made.add_argument("--documents", type=int, default=64, help="the number of documents that are encoded")
    made.add_argument("--tokens", type=int, default=180, help="the tokens of each of them")
    made.add_argument("--passages", type=int, default=100_000, help="the passages of the index, of 60 tokens each")
    made.add_argument("--queries", type=int, default=50, help="the queries of the index")
    made.add_argument("--texts", type=int, default=6000, help="the most texts that the passages lie around")
    made.add_argument("--precisions", nargs="+", default=["int8", "int4", "int2"], help="how the index stores vectors")
    made.add_argument("--candidates", nargs="+", type=int, help="how many rows the index scores exactly (default: own)")
    made.add_argument("--quality-queries", type=int, help="the queries of the quality, drawn with a fixed seed")
    return made


if __name__ == "__main__":
    main()
