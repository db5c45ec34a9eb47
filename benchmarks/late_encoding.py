"""Documents and queries per second of late-interaction models, by edge-st and its peers."""

import argparse
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness import Setup, Worker, in_turn, opened, setup, start
from numpy.typing import NDArray
from tables import comparison, table
from texts import mixed, sentences

SIZES = ("33M", "110M")
EDGE = ["edge-st onnx", "edge-st openvino float32", "edge-st openvino"]
INT8 = ["edge-st onnx int8", "edge-st openvino int8"]
TORCH, FASTEMBED = "sentence-transformers torch", "fastembed"
PEERS = [*EDGE, *INT8, TORCH, FASTEMBED, "fastembed, batches of 32"]
#: the graph that fastembed looks for
FASTEMBED_GRAPH = "vespa_colbert.onnx"
QUERY_TOKENS, QUERIES = 12, 64


def measure_encoding(options: argparse.Namespace) -> None:
    """Print a table of documents per second and one of queries per second for every size."""
    for size in options.sizes:
        home = options.work.resolve() / size
        options.folder, options.original = home / "exported", home / "original"
        common = setup(options, "multi-vector")
        _make(common, home, options.minilm.resolve(), size, "float32" if options.no_int8 else "int8")
        with ExitStack() as running:
            peers = common.available([peer for peer in PEERS if not (options.no_int8 and peer in INT8)])
            workers = opened(running, [(peer, _own(common, peer, home), peer) for peer in peers])
            _compare(workers, size, _inputs(options, home), options.rounds)


def _own(common: Setup, peer: str, home: Path) -> Setup:
    """The setup of ``peer``: fastembed has a folder of its own."""
    of_fastembed = peer.startswith("fastembed")
    return replace(common, folder=home / "fastembed", graph=FASTEMBED_GRAPH) if of_fastembed else common


def _make(common: Setup, home: Path, tokenizer: Path, size: str, dtype: str) -> None:
    """Make the original, the export and the folder for fastembed where they are missing."""
    folders = map(str, (tokenizer, common.original, common.folder, home / "fastembed"))
    process = start(common, "edge-st-export multi-vector", "make_colbert.py", *folders, size, dtype)
    process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "make_colbert.py (BENCH_VERBOSE=1 shows why)")


def _inputs(options: argparse.Namespace, home: Path) -> dict[str, list[str]]:
    source, tokenizer = sentences(None), home / "exported" / "tokenizer.json"
    # the mark of a document is a token, too
    documents = mixed(source, [options.tokens - 1] * options.documents, tokenizer)
    return {"documents": documents, "queries": mixed(source, [QUERY_TOKENS] * QUERIES, tokenizer)}


def _compare(workers: list[Worker], size: str, inputs: dict[str, list[str]], rounds: int) -> None:
    loaded = [worker.ask("memory")["VmRSS"] for worker in workers]
    for name, texts in inputs.items():
        for worker in workers:
            worker.give(name, {"queries": texts} if name == "queries" else texts)
        found = {worker.peer: worker.result(name) for worker in workers}
        seconds = in_turn(workers, name, rounds)
        rates = {peer: [len(texts) / second for second in times] for peer, times in seconds.items()}
        header, *rows = comparison(f"{size}, {name}/s", rates, max, TORCH, FASTEMBED)
        for row, worker, before in zip(rows, workers, loaded, strict=True):
            peak = worker.ask("memory")["VmHWM"]
            row += [_lowest_cosine(found[worker.peer], found.get(TORCH)), f"{before:.0f}", f"{peak:.0f}"]
        print("\n" + table([*header, "lowest cosine", "loaded MB", "peak MB"], rows))


def _lowest_cosine(vectors: NDArray[np.float32], exact: NDArray[np.float32] | None) -> str:
    """The lowest cosine of a token's vector (tokens, dim) to the exact one."""
    if exact is None or vectors.shape != exact.shape:
        return "–" if exact is None else f"{len(vectors)} of {len(exact)} tokens"
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(exact, axis=1)
    return f"{np.min(np.einsum('ij,ij->i', vectors, exact) / lengths):.6f}"
