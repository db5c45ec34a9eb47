"""Small sets of each kind to measure models on, in memory and as files."""

import json
import re
from pathlib import Path

import numpy as np

from edge_st.evaluation.datasets import Dataset, PairData, RetrievalData, SimilarityData, TripletData
from tests.support.tiny_tokenizers import random_texts

_TEXTS = list(dict.fromkeys(text for text in random_texts(120, longest=12) if text.strip()))
_COUNT = 20
_RANDOM = np.random.default_rng(7)
FIRST, SECOND, THIRD = _TEXTS[:_COUNT], _TEXTS[_COUNT : 2 * _COUNT], _TEXTS[2 * _COUNT : 3 * _COUNT]
SIMILARITY = SimilarityData("alike", FIRST, SECOND, [place % 6 * 1.0 for place in range(_COUNT - 1)] + [2.5])
PAIRS = PairData("pairs", FIRST, SECOND, [place % 3 // 2 for place in range(_COUNT)])
TRIPLETS = TripletData("nearer", FIRST, SECOND, THIRD)
RETRIEVAL = RetrievalData(
    "pets-test",
    {f"q{place}": text for place, text in enumerate(FIRST[:8])},
    {f"d{place}": text for place, text in enumerate(_TEXTS[8 : 8 + 40])},
    {f"q{place}": {f"d{each}": 1 for each in _RANDOM.choice(40, 3, replace=False)} for place in range(8)},
)
SETS: dict[str, Dataset] = {"similarity": SIMILARITY, "pairs": PAIRS, "triplets": TRIPLETS, "retrieval": RETRIEVAL}


def write_beir(folder: Path, data: RetrievalData = RETRIEVAL) -> Path:
    """The set as a folder in BEIR's layout."""
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", data.corpus), ("queries", data.queries)):
        lines = [json.dumps({"_id": each, "text": text}) for each, text in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    judged = [f"{query}\t{each}\t{grade}" for query, of in data.grades.items() for each, grade in of.items()]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]), encoding="utf-8")
    return folder


def write_sets(folder: Path) -> dict[str, Path]:
    """Each of `SETS` as a file or folder, by its kind."""
    columns = {
        "similarity": ("alike.tsv", zip(SIMILARITY.scores, FIRST, SECOND, strict=True)),
        "pairs": ("pairs.tsv", zip(PAIRS.labels, FIRST, SECOND, strict=True)),
        "triplets": ("nearer.tsv", zip(FIRST, SECOND, THIRD, strict=True)),
    }
    found = {"retrieval": write_beir(folder / "pets")}
    for kind, (name, rows) in columns.items():
        found[kind] = folder / name
        found[kind].write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return found


def plain(metrics: dict[str, float]) -> dict[str, float]:
    """An evaluator's metrics by the names that a comparison gives them."""
    found = {re.sub("^(cosine|dot|maxsim)_|_(cosine|dot)$", "", name): value for name, value in metrics.items()}
    return {"ap" if name == "average_precision" else name: value for name, value in found.items()}
