"""NanoBEIR from a local folder in BEIR's layout, without the package ``datasets``."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st.evaluation import (
    CrossEncoderNanoBEIREvaluator,
    CrossEncoderRerankingEvaluator,
    InformationRetrievalEvaluator,
    NanoBEIREvaluator,
    SparseInformationRetrievalEvaluator,
    SparseNanoBEIREvaluator,
)
from edge_st.models.classes import Model
from edge_st_runtime.errors import InputError, OptionError, PackageMissingError
from tests.support.small_sets import RETRIEVAL, write_beir

#: the same texts with the judgements of the queries in another order
OTHER = replace(RETRIEVAL, grades=dict(zip(RETRIEVAL.grades, reversed(list(RETRIEVAL.grades.values())), strict=True)))
DATA = {"NanoSciFact": RETRIEVAL, "NanoNFCorpus": OTHER}
BOTH = ["scifact", "NFCorpus"]
KINDS: list[Callable[..., Any]] = [NanoBEIREvaluator, SparseNanoBEIREvaluator, CrossEncoderNanoBEIREvaluator]


@pytest.fixture(autouse=True)
def without_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in DATA.items():
        write_beir(tmp_path / "nano" / name, data)
    return tmp_path / "nano"


def of_set(found: dict[str, float], name: str) -> dict[str, float]:
    """The metrics of one dataset, or the means, without the prefix."""
    return {key.removeprefix(f"{name}_"): value for key, value in found.items() if key.startswith(f"{name}_")}


@pytest.mark.parametrize(
    ("kind", "make", "plain"),
    [
        ("dense", NanoBEIREvaluator, InformationRetrievalEvaluator),
        ("sparse", SparseNanoBEIREvaluator, SparseInformationRetrievalEvaluator),
    ],
)
def test_every_set_and_their_means(
    kind: str,
    make: Callable[..., Any],
    plain: Callable[..., Any],
    folder: Path,
    models: dict[str, Model],
    tmp_path: Path,
) -> None:
    model, evaluator = models[kind], make(BOTH, folder)
    found = model.evaluate(evaluator, tmp_path / "out")
    for name, data in DATA.items():
        assert of_set(found, name) == model.evaluate(plain(data.queries, data.corpus, data.relevant_docs))
    means = of_set(found, "NanoBEIR_mean")
    assert set(means) == set(of_set(found, "NanoSciFact"))
    assert all(
        value == pytest.approx(np.mean([found[f"{name}_{key}"] for name in DATA])) for key, value in means.items()
    )
    function = {"dense": "cosine", "sparse": "dot"}[kind]
    assert evaluator.primary_metric == f"NanoBEIR_mean_{function}_ndcg@10"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "NanoBEIR_evaluation_mean_results.csv",
        *(f"Information-Retrieval_evaluation_{name}_results.csv" for name in DATA),
    }
    assert set(model.model_card_data.eval_results_dict[evaluator]) == {f"NanoBEIR_mean_{key}" for key in means}


def samples(depth: int) -> list[dict[str, Any]]:
    """What a cross-encoder ranks if `ranking` gives the BM25 rankings."""
    return [
        {
            "query": text,
            "positive": [RETRIEVAL.corpus[each] for each in sorted(RETRIEVAL.relevant_docs[query])],
            "documents": [RETRIEVAL.corpus[each] for each in ranking(query)[:depth]],
        }
        for query, text in RETRIEVAL.queries.items()
    ]


def ranking(query: str) -> list[str]:
    return [f"d{place}" for place in np.random.default_rng(int(query[1:])).permutation(40)[:12]]


@pytest.mark.parametrize("depth", [5, 100])
def test_a_cross_encoder_ranks_what_the_folder_says(depth: int, folder: Path, models: dict[str, Model]) -> None:
    lines = [json.dumps({"query-id": query, "corpus-ids": ranking(query)}) for query in RETRIEVAL.queries]
    (folder / "NanoSciFact" / "bm25.jsonl").write_text("\n".join([*lines, "", ""]))
    evaluator = CrossEncoderNanoBEIREvaluator(["SciFact"], folder, rerank_k=depth)
    found = models["cross"].evaluate(evaluator)
    assert of_set(found, f"NanoSciFact_R{depth}") == models["cross"].evaluate(
        CrossEncoderRerankingEvaluator(samples(depth))
    )
    assert evaluator.primary_metric == f"NanoBEIR_R{depth}_mean_ndcg@10"


def test_a_cross_encoder_ranks_what_bm25_finds(folder: Path, models: dict[str, Model]) -> None:
    evaluator = CrossEncoderNanoBEIREvaluator(BOTH, folder, rerank_k=7)
    found = models["cross"].evaluate(evaluator)
    ends = {f"{base}{end}" for base in ("", "base_") for end in ("map", "mrr@10", "ndcg@10")}
    assert set(found) == {f"{name}_{end}" for name in (*(f"{n}_R7" for n in DATA), "NanoBEIR_R7_mean") for end in ends}
    for part in evaluator.evaluators:
        for sample in part.samples:
            assert 0 < len(sample["documents"]) <= 7
            words = set(sample["query"].lower().split())
            assert all(words & set(document.lower().split()) for document in sample["documents"])


@pytest.mark.parametrize(
    "line",
    [
        '{"query-id": "q1", "corpus-ids": ["d99"]}',
        '{"query-id": "q1", "corpus-ids": "d1"}',
        '{"query-id": "q1"}',
        '{"query-id": ["q1"], "corpus-ids": ["d1"]}',
        '{"query-id": "q1", "corpus-ids": [["d1"]]}',
        "{",
        "[]",
    ],
)
def test_a_wrong_ranking_is_named_by_its_line(line: str, folder: Path) -> None:
    file = folder / "NanoSciFact" / "bm25.jsonl"
    file.write_text(f'{{"query-id": "q0", "corpus-ids": ["d1"]}}\n\n{line}\n')
    with pytest.raises(InputError, match=rf"^{re.escape(str(file))}:3: .*expected"):
        CrossEncoderNanoBEIREvaluator(["SciFact"], folder)


def test_a_judged_query_without_a_ranking(folder: Path) -> None:
    file = folder / "NanoSciFact" / "bm25.jsonl"
    file.write_text('{"query-id": "nobody", "corpus-ids": ["d1"]}\n')
    with pytest.raises(
        InputError, match=rf"^{re.escape(str(file))} has no line for the query 'q\d'; expected one for every"
    ):
        CrossEncoderNanoBEIREvaluator(["SciFact"], folder)


@pytest.mark.parametrize("make", KINDS)
def test_unknown_names(make: Callable[..., Any], folder: Path) -> None:
    with pytest.raises(
        OptionError, match=r"Dataset\(s\) \['cats', 'NanoSciFact'\] are not valid NanoBEIR datasets. Va"
    ):
        make(["scifact", "cats", "NanoSciFact"], folder)
    with pytest.raises(OptionError, match=r"dataset_names cannot be empty\. Valid .*'scifact'.*; None takes all"):
        make([], folder)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("place", ["folder", "hub"])
def test_without_a_folder_or_datasets_both_ways_are_named(make: Callable[..., Any], place: str, folder: Path) -> None:
    with pytest.raises(PackageMissingError) as caught:
        make(["msmarco"], *([folder] if place == "folder" else []))
    assert "has no folder NanoMSMARCO in BEIR's layout; give dataset_id a folder that has one, or: pip install" in str(
        caught.value
    )
    assert str(caught.value).startswith(str(folder) if place == "folder" else "sentence-transformers/NanoBEIR-en")


def test_prompts_for_some_sets_only(folder: Path) -> None:
    with pytest.raises(OptionError, match=r"missing query prompts: \['NFCorpus'\]"):
        NanoBEIREvaluator(BOTH, folder, query_prompts={"scifact": "ask: "})


@pytest.mark.parametrize("make", KINDS)
def test_an_incomplete_folder(make: Callable[..., Any], folder: Path) -> None:
    (folder / "NanoSciFact" / "corpus.jsonl").unlink()
    with pytest.raises(OptionError, match=r"NanoSciFact has no corpus\.jsonl; a folder is read in BEIR's layout"):
        make(["scifact"], folder)


def test_prompts_and_a_cut_reach_the_model(folder: Path, models: dict[str, Model]) -> None:
    options: dict[str, Any] = {"truncate_dim": 16, "query_prompt": "fox ", "corpus_prompt": "boats "}
    data = DATA["NanoSciFact"]
    plain = InformationRetrievalEvaluator(data.queries, data.corpus, data.relevant_docs, **options)
    evaluator = NanoBEIREvaluator(["scifact"], folder, truncate_dim=16, query_prompts="fox ", corpus_prompts="boats ")
    found = models["dense"].evaluate(evaluator)
    assert of_set(found, "NanoSciFact_16") == models["dense"].evaluate(plain)
    assert evaluator.primary_metric == "NanoBEIR_mean_16_cosine_ndcg@10"
