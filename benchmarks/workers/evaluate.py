"""Evaluate one peer with its own evaluators; print their metrics and seconds as one line of JSON.

``evaluate.py PEER OPENING DATA``: OPENING is JSON with the arguments of the peer's SentenceTransformer, DATA a JSON
file with the arguments of each evaluator by its name.
"""

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Measure and print."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer, opening, data = sys.argv[1:]
    library = "edge_st" if peer.startswith("edge-st") else "sentence_transformers"
    model = import_module(library).SentenceTransformer(**json.loads(opening))
    found = {}
    for name, arguments in json.loads(Path(data).read_text(encoding="utf-8")).items():
        evaluator = getattr(import_module(f"{library}.evaluation"), name)(**_arguments(arguments))
        start = time.perf_counter()
        metrics = model.evaluate(evaluator)
        found[name] = {"seconds": time.perf_counter() - start, "metrics": metrics}
    print(json.dumps(found), file=answers, flush=True)


def _arguments(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments, with sets in place of the lists of relevant documents."""
    relevant = given.get("relevant_docs")
    return given if relevant is None else {**given, "relevant_docs": {key: set(of) for key, of in relevant.items()}}


if __name__ == "__main__":
    main()
