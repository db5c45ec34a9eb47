"""The same evaluators on the same data: those of edge-st on its engines, those of sentence-transformers on torch.

Run ``python benchmarks/evaluation.py EXPORTED --original ORIGINAL --sts FILE.tsv --retrieval BEIR_FOLDER``; a qrels
file of the folder chooses another split. The peers run one after the other, each in a process of its own, on the same
cores. Printed are each peer's primary metrics and seconds, and the largest difference of a metric to torch's.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from disturbance import disturbance
from harness import Setup, parser, setup, start
from tables import table

from edge_st.evaluation.datasets import RetrievalData, SimilarityData, read_dataset

TORCH = "sentence-transformers torch"
PEERS = ["edge-st onnx", "edge-st openvino", TORCH]
PRIMARY = {"EmbeddingSimilarityEvaluator": "spearman_cosine", "InformationRetrievalEvaluator": "cosine_ndcg@10"}


def main() -> None:
    """Measure and print."""
    made = parser(__doc__)
    made.add_argument("--sts", type=Path, required=True, help="score TAB text TAB text")
    made.add_argument(
        "--retrieval", type=Path, required=True, help="a folder in BEIR's layout, or one of its qrels files"
    )
    options = made.parse_args()
    common = setup(options)
    with disturbance(), tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.json")
        data.write_text(json.dumps(_evaluators(options)), encoding="utf-8")
        found = {peer: _run(common, peer, data) for peer in common.available(PEERS)}
    header = ["evaluated by"]
    for metric in PRIMARY.values():
        header += [metric, "seconds"]
    print(table([*header, "largest difference of a metric"], [_row(peer, found) for peer in found]))


def _evaluators(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    sts, retrieval = read_dataset(options.sts), read_dataset(options.retrieval)
    if not isinstance(sts, SimilarityData) or not isinstance(retrieval, RetrievalData):
        raise SystemExit("expected an STS file with --sts, and a folder in BEIR's layout with --retrieval")
    print(f"{sts.name}: {len(sts.scores)} pairs; {retrieval.name}: {len(retrieval.queries)} queries")
    return {
        "EmbeddingSimilarityEvaluator": {
            "sentences1": sts.sentences1,
            "sentences2": sts.sentences2,
            "scores": sts.scores,
        },
        "InformationRetrievalEvaluator": {
            "queries": retrieval.queries,
            "corpus": retrieval.corpus,
            "relevant_docs": {query: sorted(of) for query, of in retrieval.relevant_docs.items()},
        },
    }


def _run(common: Setup, peer: str, data: Path) -> dict[str, Any]:
    opening = {"model_name_or_path": str(common.original)}
    if peer != TORCH:
        opening = {"model_name_or_path": str(common.folder), "backend": peer.split()[1], "dtype": "float32"}
    process = start(common, peer, "evaluate.py", peer, json.dumps(opening), str(data))
    answer, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, f"{peer} (BENCH_VERBOSE=1 shows why)")
    found: dict[str, Any] = json.loads(answer)
    return found


def _row(peer: str, found: dict[str, dict[str, Any]]) -> list[str]:
    row, difference = [peer], 0.0
    for name, metric in PRIMARY.items():
        own = found[peer][name]
        row += [f"{own['metrics'][metric]:.6f}", f"{own['seconds']:.1f}"]
        exact = found.get(TORCH, found[peer])[name]["metrics"]
        difference = max(difference, *(abs(value - exact[key]) for key, value in own["metrics"].items()))
    return [*row, f"{difference:.1e}"]


if __name__ == "__main__":
    main()
