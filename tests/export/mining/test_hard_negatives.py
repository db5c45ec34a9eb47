"""mine_hard_negatives gives the rows that sentence-transformers' function gives.

Without the datasets package, which that function needs, nothing here runs.
"""

import inspect
import logging
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sentence_transformers as st
import torch
from sentence_transformers.util import mine_hard_negatives as theirs

from edge_st import SentenceTransformer, mine_hard_negatives
from tests.export.remembered import Remembered

if TYPE_CHECKING:
    from edge_st_export import ExportReport

datasets = pytest.importorskip("datasets")
THINGS = ["bread", "cheese", "a violin", "a bridge", "a piano", "butter", "a house", "soup", "a guitar", "a boat"]
MAKERS = ["a baker", "a musician", "an engineer", "a cook"]
PAIRS = [
    *((f"how is {thing} made", f"{maker} makes {thing} by hand") for thing in THINGS for maker in MAKERS[:2]),
    *(
        (f"who sells {thing}", f"the market in {town} has {thing}")
        for thing, town in zip(THINGS, "ABCDEFGHIJ", strict=True)
    ),
    ("how is bread made", "a baker makes bread by hand"),
    ("what is an orchestra", "Many musicians who play together."),
]
DATA: dict[str, list[str]] = {"query": [query for query, _ in PAIRS], "text": [text for _, text in PAIRS]}
CORPUS = [f"{maker} likes {thing}" for maker in MAKERS for thing in THINGS]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"corpus": CORPUS, "num_negatives": 5, "range_min": 2},
    {"corpus": CORPUS, "relative_margin": 0.05, "max_score": 0.7, "min_score": 0.2},
    {"absolute_margin": 0.1, "range_max": 20},
    {"corpus": CORPUS, "relative_margin": 0.1, "sampling_strategy": "random", "range_max": 30},
    {"sampling_strategy": "random", "range_min": 1, "range_max": 12, "faiss_batch_size": 3},
    {"num_negatives": 40},
    {"margin": 0.2, "num_negatives": 1},
    {"corpus": CORPUS, "include_positives": True, "num_negatives": 6},
    {"query_prompt": "query: ", "corpus_prompt": "passage: ", "batch_size": 7},
    {"anchor_column_name": "text", "positive_column_name": "query"},
]
FORMATS = ["triplet", "n-tuple", "labeled-pair", "labeled-list", "n-tuple-scores"]


@pytest.fixture(scope="module")
def peer(real: st.SentenceTransformer) -> Any:
    return Remembered(real)


def mined(peer: Any, **options: Any) -> dict[str, Any]:
    return dict(theirs(datasets.Dataset.from_dict(DATA), peer, verbose=False, **options).to_dict())


def same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert list(found) == list(wanted)
    for name, column in wanted.items():
        if name in ("score", "scores") and column:
            assert [pytest.approx(row, abs=5e-5) for row in column] == found[name]
        else:
            assert found[name] == column


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("options", OPTIONS, ids=", ".join)
def test_the_same_rows_by_the_same_model(options: dict[str, Any], output_format: str, peer: Any) -> None:
    for output_scores in (False, True):
        given = {**options, "output_format": output_format, "output_scores": output_scores}
        random.seed(3)
        wanted = mined(peer, **given)
        random.seed(3)
        same(mine_hard_negatives(DATA, peer, verbose=False, **given), wanted)


def test_the_same_rows_by_the_exported_model(peer: Any, real_report: "ExportReport") -> None:
    model = SentenceTransformer(real_report.path, backend="onnx", dtype="float32")
    for options in OPTIONS:
        random.seed(3)
        wanted = mined(peer, output_scores=True, **options)
        random.seed(3)
        found = mine_hard_negatives(
            datasets.Dataset.from_dict(DATA), model, verbose=False, output_scores=True, **options
        )
        assert isinstance(found, datasets.Dataset)
        same(dict(found.to_dict()), wanted)


def test_the_same_rows_by_a_cross_encoder(peer: Any, real_folder: Path) -> None:
    torch.manual_seed(3)  # its head is random; scores that are nearly the same may change places
    reranker = st.CrossEncoder(str(real_folder), num_labels=1, device="cpu", local_files_only=True)
    for options in ({"relative_margin": 0.0}, {"max_score": 0.5, "output_format": "labeled-list"}):
        given = {"corpus": CORPUS, "output_scores": True, "cross_encoder": reranker, **options}
        same(mine_hard_negatives(DATA, peer, verbose=False, **given), mined(peer, **given))


def test_by_faiss(peer: Any) -> None:
    pytest.importorskip("faiss")
    given: dict[str, Any] = {"use_faiss": True, "corpus": CORPUS, "num_negatives": 90, "output_format": "labeled-pair"}
    same(mine_hard_negatives(DATA, peer, verbose=False, **given), mined(peer, **given))


def test_what_is_printed_and_warned_of(
    peer: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    options = {"relative_margin": 0.3, "max_score": 0.6, "as_triplets": True, "margin": 0.1}
    printed, warned = [], []
    for mine, data in ((mine_hard_negatives, DATA), (theirs, datasets.Dataset.from_dict(DATA))):
        with caplog.at_level(logging.WARNING):
            mine(data, peer, **options)
        printed.append(
            [line for line in capsys.readouterr().out.splitlines() if "Negative candidates mined" not in line]
        )
        warned.append(len(caplog.records))
        caplog.clear()
    assert printed[0] == printed[1]
    assert warned[0] == warned[1] == 2


def test_the_arguments_are_sentence_transformers() -> None:
    found, wanted = (inspect.signature(function).parameters for function in (mine_hard_negatives, theirs))
    assert {name: found[name].default for name in found} == {name: wanted[name].default for name in wanted}
    assert list(found) == list(wanted)
