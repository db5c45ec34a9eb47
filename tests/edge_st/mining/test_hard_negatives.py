"""Hard negatives: what ranking every text for every query by hand gives."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edge_st
from edge_st import CrossEncoder, SentenceTransformer, mine_hard_negatives, util

Table = dict[str, list[Any]]
PAIRS = [
    ("how do I bake bread", "Mix flour, water, salt and yeast, let the dough rise and bake it in a hot oven."),
    ("how do I bake bread", "Sourdough bread is baked from flour, water and a starter."),
    ("how is cheese made", "Milk is curdled with rennet, and the curd is pressed and aged."),
    ("what is the capital of France", "Paris is the capital of France."),
    ("what is the capital of Spain", "Madrid is the capital of Spain."),
    ("how do I bake bread", "Sourdough bread is baked from flour, water and a starter."),
    ("who wrote Faust", "Goethe wrote the play Faust."),
    ("who wrote Hamlet", "Hamlet is a play by Shakespeare."),
]
COLUMNS: Table = {"question": [pair[0] for pair in PAIRS], "answer": [pair[1] for pair in PAIRS]}
OTHERS = ["A cake is baked from flour, eggs and sugar.", "Lyon is a city in France.", "Bread is eaten with cheese."]
LOWEST = -float("inf")


@pytest.fixture(scope="module")
def bundled() -> SentenceTransformer:
    return SentenceTransformer()


@pytest.fixture
def mine(bundled: SentenceTransformer) -> Callable[..., Table]:
    def call(dataset: Any = COLUMNS, **options: Any) -> Table:
        return mine_hard_negatives(dataset, bundled, **{"verbose": False, **options})

    return call


def positives() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for query, text in PAIRS:
        found[query] = list(dict.fromkeys([*found.get(query, []), text]))
    return found


def corpus(others: list[str]) -> list[str]:
    return list(dict.fromkeys([*others, *COLUMNS["answer"]]))


def by_model(model: SentenceTransformer, others: list[str]) -> dict[str, dict[str, float]]:
    """The score of every text for every query."""
    queries, texts = list(positives()), corpus(others)
    scores = model.similarity(model.encode_query(queries), model.encode_document(texts)).tolist()
    return {query: dict(zip(texts, row, strict=True)) for query, row in zip(queries, scores, strict=True)}


def triplets(
    scores: dict[str, dict[str, float]], count: int, limits: dict[str, float], first: int = 0
) -> list[tuple[str, ...]]:
    """Query, positive, negative; by limits on the scores."""
    found = []
    for query, own in positives().items():
        lowest = min(scores[query][text] for text in own)
        highest = min(
            limits.get("max_score", 9),
            lowest - limits.get("absolute_margin", LOWEST),
            lowest - abs(lowest) * limits.get("relative_margin", LOWEST),
        )
        left = [text for text in sorted(scores[query], key=scores[query].__getitem__, reverse=True) if text not in own]
        left = [text for text in left if limits.get("min_score", -9) <= scores[query][text] <= highest]
        found += [(query, text, negative) for text in own for negative in left[first : first + count]]
    return found


def rows(found: Table) -> list[tuple[Any, ...]]:
    return list(zip(*found.values(), strict=True))


@pytest.mark.parametrize("others", [[], OTHERS], ids=["answers", "corpus"])
@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"max_score": 0.3},
        {"min_score": 0.2},
        {"absolute_margin": 0.25},
        {"relative_margin": 0.5},
        {"relative_margin": 0.3, "max_score": 0.4, "min_score": 0.1},
    ],
    ids=str,
)
def test_triplets(
    mine: Callable[..., Table], bundled: SentenceTransformer, limits: dict[str, float], others: list[str]
) -> None:
    expected = triplets(by_model(bundled, others), 3, limits)
    assert expected
    found = mine(corpus=others or None, **limits)
    assert list(found) == ["question", "answer", "negative"]
    assert rows(found) == expected


def test_ranks(mine: Callable[..., Table], bundled: SentenceTransformer) -> None:
    scores = by_model(bundled, OTHERS)
    assert rows(mine(corpus=OTHERS, range_min=2, num_negatives=1)) == triplets(scores, 1, {}, 2)
    assert rows(mine(corpus=OTHERS, range_min=1, range_max=3, num_negatives=2)) == triplets(scores, 2, {}, 1)


def test_formats_hold_the_same(mine: Callable[..., Table], bundled: SentenceTransformer) -> None:
    options = {"num_negatives": 2, "relative_margin": 0.8, "output_scores": True}
    scores, flat = by_model(bundled, []), mine(**options)
    for query, positive, negative, (first, second) in rows(flat):
        assert (first, second) == pytest.approx((scores[query][positive], scores[query][negative]), abs=1e-6)
    grouped: dict[tuple[str, str], list[Any]] = {}
    for query, positive, negative, pair in rows(flat):
        grouped.setdefault((query, positive), [[], [pair[0]]])
        grouped[query, positive][0].append(negative)
        grouped[query, positive][1].append(pair[1])
    listed = mine(output_format="labeled-list", **options)
    assert rows(listed) == [(query, [text, *found], scored) for (query, text), (found, scored) in grouped.items()]
    tuples = mine(output_format="n-tuple", **options)
    assert list(tuples) == ["question", "answer", "negative_1", "negative_2", "scores"]
    full = [(*pair, *found, scored) for pair, (found, scored) in grouped.items() if len(found) == 2]
    assert rows(tuples) == full != []
    assert len(full) < len(grouped)


@pytest.mark.parametrize("with_scores", [True, False])
def test_labels(mine: Callable[..., Table], with_scores: bool) -> None:
    pairs = mine(output_format="labeled-pair", num_negatives=2, output_scores=with_scores)
    assert list(pairs) == ["question", "answer", "score" if with_scores else "label"]
    own = positives()
    bread = [row[1:] for row in rows(pairs) if row[0] == PAIRS[0][0]]
    assert [text for text, _ in bread[:2]] == own[PAIRS[0][0]]
    if not with_scores:
        assert [label for _, label in bread] == [1, 1, 0, 0]
        assert pairs["label"] == [int(text in own[query]) for query, text, _ in rows(pairs)]
        lists = mine(output_format="labeled-list", num_negatives=2)
        assert lists["labels"] == [[1, 0, 0]] * len(lists["answer"])


def test_positives_may_stay_among_the_candidates(
    mine: Callable[..., Table], bundled: SentenceTransformer, caplog: pytest.LogCaptureFixture
) -> None:
    found = mine(include_positives=True, num_negatives=4)
    assert 'will be set to `"n-tuple"`' in caplog.text
    assert "leave positives out" not in caplog.text
    scores = by_model(bundled, [])
    for query, _, *ranking in rows(found):
        assert ranking == sorted(scores[query], key=scores[query].__getitem__, reverse=True)[:4]
    mine(include_positives=True, max_score=0.9)
    assert "may still discard the positive values" in caplog.text


def test_random_negatives_are_repeatable(mine: Callable[..., Table]) -> None:
    options = {"corpus": OTHERS, "sampling_strategy": "random", "range_max": 6, "num_negatives": 2}
    random.seed(1)
    first = mine(**options)
    random.seed(1)
    assert mine(**options) == first
    assert any(mine(**options) != first for _ in range(5))
    assert set(rows(first)) < set(rows(mine(corpus=OTHERS, range_max=6, num_negatives=6)))


def test_a_cross_encoder_scores_again(
    mine: Callable[..., Table], cross_encoder: CrossEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    texts = corpus(OTHERS)
    scores = {
        query: dict(zip(texts, cross_encoder.predict([(query, text) for text in texts]).tolist(), strict=True))
        for query in positives()
    }
    for limits in ({"max_score": 2.0}, {"min_score": -9.0}, {"absolute_margin": 0.0}):
        found = mine(corpus=OTHERS, cross_encoder=cross_encoder, output_scores=True, **limits)
        assert [row[:3] for row in rows(found)] == triplets(scores, 3, limits)
        expected = [(scores[query][positive], scores[query][text]) for query, positive, text, _ in rows(found)]
        np.testing.assert_allclose(np.array(found["scores"]).reshape(-1, 2), np.reshape(expected, (-1, 2)), atol=1e-5)
    assert "cross_encoder is not used" not in caplog.text
    assert mine(cross_encoder=cross_encoder) == mine()
    assert "cross_encoder is not used" in caplog.text


class Columns:
    """Data as the datasets package has it."""

    column_names = ("id", "answer", "question")

    def __getitem__(self, name: str) -> Any:
        return np.arange(len(PAIRS)) if name == "id" else COLUMNS[name]


def test_forms_of_data(mine: Callable[..., Table]) -> None:
    expected = mine()
    assert mine([dict(zip(COLUMNS, pair, strict=True)) for pair in PAIRS]) == expected
    assert mine(Columns(), anchor_column_name="question", positive_column_name="answer") == expected
    assert mine(dataset={name: tuple(column) for name, column in COLUMNS.items()}) == expected
    assert edge_st.mine_hard_negatives is util.mine_hard_negatives is mine_hard_negatives


def test_queries_at_once_and_processes_change_nothing(mine: Callable[..., Table]) -> None:
    expected = mine(output_scores=True)
    found = mine(output_scores=True, faiss_batch_size=2, use_multi_process=["cpu"])
    # a product of other shapes may be summed in another order
    np.testing.assert_allclose(found.pop("scores"), expected.pop("scores"), rtol=0, atol=1e-6)
    assert found == expected


def test_by_faiss(mine: Callable[..., Table]) -> None:
    pytest.importorskip("faiss")
    options = {"corpus": OTHERS, "num_negatives": 8, "output_format": "labeled-pair"}
    assert mine(use_faiss=True, faiss_batch_size=2, **options) == mine(**options)


def test_older_names(mine: Callable[..., Table], caplog: pytest.LogCaptureFixture) -> None:
    assert mine(margin=0.2) == mine(absolute_margin=0.2)
    assert mine(as_triplets=False) == mine(output_format="n-tuple")
    assert mine(as_triplets=True, output_format="n-tuple") == mine()
    assert mine(output_format="n-tuple-scores") == mine(output_format="n-tuple", output_scores=True)
    for name in ("margin is", "as_triplets is", "output_format='n-tuple-scores' is"):
        assert f"{name} deprecated" in caplog.text


def test_embeddings_are_kept(mine: Callable[..., Table], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "cache"
    expected = mine(cache_folder=str(folder))
    kept = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert sorted(path.name.partition("_")[0] for path in kept) == ["corpus", "query"]
    assert mine(cache_folder=str(folder), verbose=True) == expected
    assert capsys.readouterr().out.count("[Cache] Loaded") == 2
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == kept
    assert mine(cache_folder=str(folder), query_prompt="which answer fits: ") != expected
    assert len(list(folder.iterdir())) == 3


def test_what_is_printed(mine: Callable[..., Table], capsys: pytest.CaptureFixture[str]) -> None:
    mine()
    assert capsys.readouterr() == ("", "")
    found = mine(verbose=True, relative_margin=0.8, output_scores=True)
    printed = capsys.readouterr().out
    assert "Setting range_max to 33 based on" in printed
    assert "Found 6 unique queries out of 8 total queries." in printed
    assert "Found an average of 1.333 positives per query." in printed
    negatives: NDArray[Any] = np.array(found["scores"])[:, 1]
    assert f"Count  {7:>14} {len(negatives):>14}" in printed
    assert f"{negatives.mean():.4f}" in printed
    assert "due to the relative_margin of 0.8." in printed
    missing = 7 * 3 - len(negatives)
    assert f"Could not find enough negatives for {missing} samples ({missing / 21:.2%}). Consider" in printed
    assert "adjusting the range_max and relative_margin parameters" in printed


def test_no_negatives_at_all(mine: Callable[..., Table], capsys: pytest.CaptureFixture[str]) -> None:
    one: Table = {name: column[3:4] for name, column in COLUMNS.items()}
    assert mine(one, verbose=True) == {"question": [], "answer": [], "negative": []}
    assert "Count               1              0" in capsys.readouterr().out
    assert mine(one, output_format="labeled-pair")["label"] == [1]


class DatasetLike(dict[str, list[Any]]):
    """What a ``datasets.Dataset`` shows of itself."""

    @property
    def column_names(self) -> list[str]:
        return list(self)

    @classmethod
    def from_dict(cls, columns: dict[str, list[Any]]) -> "DatasetLike":
        return cls(columns)


def test_a_dataset_gives_a_dataset() -> None:
    model = SentenceTransformer()
    columns = {"query": ["a cat", "my boat"], "answer": ["the cat", "the boat"]}
    found = mine_hard_negatives(DatasetLike(columns), model, num_negatives=1, verbose=False)
    plain = mine_hard_negatives(columns, model, num_negatives=1, verbose=False)
    assert (type(found), type(plain)) == (DatasetLike, dict)
    assert found == plain
