"""What hard negatives are not mined from: each error says what was found and what was expected."""

import sys
from pathlib import Path
from typing import Any

import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder, mine_hard_negatives
from edge_st_runtime.errors import DamagedFileError, InputError, InputTypeError, OptionError, PackageMissingError

DATA = {"query": ["one", "two", "three"], "text": ["a cat", "a dog", "a bird"]}


@pytest.fixture(scope="module")
def bundled() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_negatives": 0}, "num_negatives must be a positive integer, got 0"),
        ({"range_min": -1}, "range_min is -1; expected a whole number of at least 0"),
        ({"range_min": 5, "range_max": 5}, "range_min is 5, range_max 5; expected range_min below range_max"),
        ({"range_min": 2, "range_max": 4}, "num_negatives is 3, but ranks 2 to 4 are 2 candidates"),
        ({"range_max": 0}, "range_max must be a positive integer"),
        ({"sampling_strategy": "best"}, "sampling_strategy is 'best'; expected 'top' or 'random'"),
        ({"output_format": "pairs"}, "output_format is 'pairs'; expected one of 'triplet', 'n-tuple'"),
        ({"relative_margin": "5%"}, "relative_margin is '5%'; expected a number, or None"),
        ({"max_score": float("nan")}, "max_score is nan; expected a number"),
        ({"batch_size": 0}, "batch_size must be a positive integer"),
        ({"faiss_batch_size": 0}, "faiss_batch_size must be a positive integer"),
        ({"use_multi_process": 2}, "use_multi_process is 2; expected a bool or"),
        ({"anchor_column_name": "queries"}, "anchor_column_name is 'queries'; the dataset has the columns"),
        ({"positive_column_name": "answer"}, "positive_column_name is 'answer'; the dataset has the columns"),
        ({"anchor_column_name": "text"}, "anchor and positive are both the column 'text'"),
        ({"query_prompt_name": "question"}, "Prompt name 'question' not found"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_options(bundled: SentenceTransformer, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        mine_hard_negatives(DATA, bundled, verbose=False, **options)


class Splits:
    column_names = {"train": ["query", "text"]}  # noqa: RUF012 - as in the datasets package


@pytest.mark.parametrize(
    ("dataset", "error", "message"),
    [
        ([], InputError, "The dataset is empty"),
        ({"query": [], "text": []}, InputError, "The dataset is empty"),
        ({"query": ["a"]}, OptionError, r"columns \['query'\]; expected one of queries and one of positives"),
        (
            {"query": ["a", "b"], "text": ["c"]},
            InputError,
            "column 'query' has 2 rows, 'text' has 1; expected the same number",
        ),
        ([{"query": "a", "text": "b"}, {"query": "c"}], InputError, r"dataset\[1\] has \['query'\], but no 'text'"),
        ({"query": ["a"], "text": [None]}, InputTypeError, r"text\[0\] is None; expected a str"),
        ({"query": {"a"}, "text": ["b"]}, InputTypeError, "query is set .* which has no order"),
        ([("a", "b")], InputTypeError, "dataset is list; expected a dictionary of columns"),
        (Splits(), InputTypeError, r"dataset has the splits \['train'\]; pass one of them: dataset\['train'\]"),
        ({"query": ["a"], "negative": ["b"]}, OptionError, "column 'negative' has the name of one that"),
    ],
)
def test_data(bundled: SentenceTransformer, dataset: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        mine_hard_negatives(dataset, bundled)


def test_models(bundled: SentenceTransformer, cross_encoder_folders: dict[int, Path], sparse_folder: Path) -> None:
    several = CrossEncoder(cross_encoder_folders[3], backend="onnx")
    with pytest.raises(OptionError, match="cross_encoder gives 3 scores a pair; expected a model that gives 1"):
        mine_hard_negatives(DATA, bundled, cross_encoder=several)
    with pytest.raises(InputTypeError, match="model is CrossEncoder; expected a SentenceTransformer"):
        mine_hard_negatives(DATA, several)
    with pytest.raises(InputTypeError, match="model is SparseEncoder; expected a SentenceTransformer"):
        mine_hard_negatives(DATA, SparseEncoder(sparse_folder, backend="onnx"))
    with pytest.raises(InputTypeError, match="corpus is str"):
        mine_hard_negatives(DATA, bundled, corpus="a text")


def test_a_damaged_cache(bundled: SentenceTransformer, tmp_path: Path) -> None:
    mine_hard_negatives(DATA, bundled, cache_folder=str(tmp_path), verbose=False)
    (kept,) = tmp_path.glob("query_*")
    kept.write_bytes(kept.read_bytes()[:-8])
    with pytest.raises(DamagedFileError, match=f"{kept.name} cannot be read .*; remove it"):
        mine_hard_negatives(DATA, bundled, cache_folder=str(tmp_path))


def test_without_faiss(bundled: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(PackageMissingError, match="pip install faiss-cpu"):
        mine_hard_negatives(DATA, bundled, use_faiss=True, verbose=False)
