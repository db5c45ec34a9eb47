"""BGEM3 on a tiny graph with three heads: what FlagEmbedding gives, in one pass, and what it refuses."""

import json
import math
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import BGEM3, SentenceTransformer
from edge_st_runtime.errors import (
    InputError,
    InputTypeError,
    NotFiniteError,
    OptionError,
    TextTooLongError,
    WrongClassError,
)
from tests.support.tiny_graphs import HIDDEN
from tests.support.tiny_heads import HEADS, WIDTH, GraphOfHeads, TinyHeads
from tests.support.tiny_models import TinyModel
from tests.support.tiny_tokenizers import NASTY, random_texts

TINY = TinyHeads()
TEXTS = [*NASTY, *random_texts(25, seed=3), "the fox", "the fox"]
PAIRS = [("the quick fox", "a lazy dog"), ("small boats", "seven boats sail"), ("", "why"), ("the quick fox", "green")]
ALL: dict[str, Any] = {"return_dense": True, "return_sparse": True, "return_colbert_vecs": True}
LENGTH = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY.save(tmp_path_factory.mktemp("heads"))


@pytest.fixture(scope="module")
def model(folder: Path) -> BGEM3:
    return BGEM3(folder, backend="onnx")


def scores(query: str, passage: str, limits: tuple[int, int] = (LENGTH, LENGTH)) -> dict[str, float]:
    """The scores by the formulas, each text alone."""
    q, p = ((TINY.dense(text, limit), TINY.lexical(text, limit), TINY.colbert(text, limit))
            for text, limit in zip((query, passage), limits, strict=True))  # fmt: skip
    return {
        "dense": float(q[0] @ p[0]),
        "sparse": sum(weight * p[1].get(token, 0) for token, weight in q[1].items()),
        "colbert": float((q[2] @ p[2].T).max(axis=1).sum()) / len(q[2]),
    }


def test_all_heads_of_every_text(folder: Path, engine: str) -> None:
    found = BGEM3(folder, backend=engine).encode(TEXTS, max_length=LENGTH, **ALL)
    assert list(found) == ["dense_vecs", "lexical_weights", "colbert_vecs"]
    assert found["dense_vecs"].shape == (len(TEXTS), HIDDEN)
    assert found["dense_vecs"].dtype == np.float32
    for place, text in enumerate(TEXTS):
        np.testing.assert_allclose(found["dense_vecs"][place], TINY.dense(text, LENGTH), atol=1e-6)
        assert found["lexical_weights"][place] == pytest.approx(TINY.lexical(text, LENGTH), rel=1e-5, abs=1e-6)
        np.testing.assert_allclose(found["colbert_vecs"][place], TINY.colbert(text, LENGTH), atol=1e-6)
        assert found["colbert_vecs"][place].dtype == np.float32


def test_lexical_weights_are_as_in_flagembedding(model: BGEM3) -> None:
    (found,) = model.encode(["the lazy dog, the dog"], return_sparse=True)["lexical_weights"]
    ids = [str(token) for token in TINY.ids("the lazy dog, the dog", 64)]
    assert list(found) == [token for token in dict.fromkeys(ids) if token in found]  # in the order of the text
    assert {type(value) for value in found.values()} == {np.float32}
    assert found["999"] == 0  # as of a defaultdict, which has it now
    del found["999"]
    tokens = model.convert_id_to_token(found)
    assert tokens == {model.tokenizer.decode([int(token)]): weight for token, weight in found.items()}
    assert len(tokens) == len(found)
    several = model.convert_id_to_token([found, {}])
    assert [type(each) for each in several] == [dict, dict]


def test_a_single_text_has_no_list_around_it(model: BGEM3) -> None:
    found = model.encode("the fox", **ALL)
    assert found["dense_vecs"].shape == (HIDDEN,)
    assert isinstance(found["lexical_weights"], dict)
    assert found["colbert_vecs"].shape == (len(TINY.ids("the fox")) - 1, WIDTH)


@pytest.mark.parametrize("asked", range(1, 8))
def test_only_what_is_asked(asked: int, model: BGEM3) -> None:
    wanted = [bool(asked & bit) for bit in (1, 2, 4)]
    names = ("return_dense", "return_sparse", "return_colbert_vecs")
    options: dict[str, Any] = dict(zip(names, wanted, strict=True))
    found = model.encode(TEXTS[:4], **options)
    assert [part is not None for part in found.values()] == wanted
    whole = model.encode(TEXTS[:4], **ALL)
    if wanted[1]:
        assert found["lexical_weights"] == whole["lexical_weights"]


def test_no_texts(model: BGEM3) -> None:
    found = model.encode([], **ALL)
    assert found["dense_vecs"].shape == (0, HIDDEN)
    assert (found["lexical_weights"], found["colbert_vecs"]) == ([], [])
    assert model.compute_score([]) == []


def test_limits(folder: Path, model: BGEM3) -> None:
    text = " ".join(["boats sail"] * 60)
    assert len(model.encode(text, **ALL)["colbert_vecs"]) == 63  # the positions of the model are fewer than 512
    short = BGEM3(folder, backend="onnx", passage_max_length=9, query_max_length=5)
    assert len(short.encode(text, **ALL)["colbert_vecs"]) == 8
    assert len(short.encode_corpus(text, **ALL)["colbert_vecs"]) == 8
    assert len(short.encode_queries(text, **ALL)["colbert_vecs"]) == 4
    assert len(short.encode_queries(text, max_length=7, **ALL)["colbert_vecs"]) == 6
    with pytest.raises(OptionError, match="max_seq_length is 65; this model has 64 positions"):
        model.encode(text, max_length=65)
    with pytest.raises(OptionError, match="max_length must be a positive integer, got 0"):
        model.encode(text, max_length=0)
    with pytest.raises(TextTooLongError, match=r"inputs\[1\] has 62 tokens, the model takes 9"):
        BGEM3(folder, backend="onnx", truncation="error", passage_max_length=9).encode(["fox", " ".join(["a"] * 60)])


def test_instructions_and_defaults_of_the_constructor(folder: Path, model: BGEM3) -> None:
    made = BGEM3(
        folder,
        backend="onnx",
        query_instruction_for_retrieval="search",
        query_instruction_format="{}:\\n{}",
        passage_instruction_for_retrieval="over ",
        return_dense=False,
        return_sparse=True,
    )
    found = made.encode_queries(["the fox"])
    assert found["dense_vecs"] is None
    assert found["lexical_weights"] == model.encode(["search:\nthe fox"], return_sparse=True)["lexical_weights"]
    assert made.encode_corpus("dog") == model.encode("over dog", return_dense=False, return_sparse=True)
    assert made.encode("dog")["lexical_weights"] == model.encode("dog", return_sparse=True)["lexical_weights"]


def test_scores_of_pairs(folder: Path, engine: str) -> None:
    model = BGEM3(folder, backend=engine)
    found = model.compute_score(PAIRS * 20, max_query_length=LENGTH, max_passage_length=LENGTH)
    assert isinstance(found, dict)
    assert list(found) == ["colbert", "sparse", "dense", "sparse+dense", "colbert+sparse+dense"]
    for name in ("colbert", "sparse", "dense"):
        expected = [scores(*pair)[name] for pair in PAIRS] * 20
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-5)
        assert all(type(value) is float for value in found[name])
    sums = np.array(found["sparse"]) + np.array(found["dense"])
    np.testing.assert_allclose(found["sparse+dense"], sums / 2, rtol=1e-5)
    np.testing.assert_allclose(found["colbert+sparse+dense"], (sums + np.array(found["colbert"])) / 3, rtol=1e-5)


def test_weights_and_limits_of_scores(model: BGEM3) -> None:
    query, passage = "the quick brown fox", "over the lazy dog, over the sea"
    found = model.compute_score(
        (query, passage), max_query_length=4, max_passage_length=7, weights_for_different_modes=[0.4, 0.2, 0.4]
    )
    assert isinstance(found, dict)
    each = scores(query, passage, (4, 7))
    assert {name: found[name] for name in each} == pytest.approx(each, abs=1e-5)
    assert found["sparse+dense"] == pytest.approx((each["sparse"] * 0.2 + each["dense"] * 0.4) / 0.6, abs=1e-5)
    whole = each["colbert"] * 0.4 + each["sparse"] * 0.2 + each["dense"] * 0.4
    assert found["colbert+sparse+dense"] == pytest.approx(whole, abs=1e-5)
    only = model.compute_score([query, passage], weights_for_different_modes=(0, 0, 1))
    assert isinstance(only, dict)
    assert math.isnan(only["sparse+dense"])
    assert only["colbert+sparse+dense"] == only["colbert"]


def test_lexical_matching(model: BGEM3) -> None:
    found = model.encode(TEXTS[10:14], return_sparse=True)["lexical_weights"]
    one = model.compute_lexical_matching_score(found[0], found[1])
    matrix = model.compute_lexical_matching_score(found, found[:3])
    assert matrix.shape == (4, 3)
    assert matrix[0, 1] == pytest.approx(one)
    assert one == pytest.approx(sum(value * found[1].get(token, 0) for token, value in found[0].items()))
    with pytest.raises(InputError, match="lexical weights are a dict and a list; expected"):
        model.compute_lexical_matching_score({}, [])


def test_a_text_does_not_depend_on_its_neighbours(model: BGEM3) -> None:
    whole = model.encode(TEXTS, max_length=LENGTH, batch_size=5, **ALL)
    for place, text in enumerate(TEXTS):
        alone = model.encode(text, max_length=LENGTH, **ALL)
        np.testing.assert_allclose(alone["colbert_vecs"], whole["colbert_vecs"][place], atol=1e-6)
        assert alone["lexical_weights"] == pytest.approx(whole["lexical_weights"][place], abs=1e-6)


def test_what_it_says_of_itself(model: BGEM3, folder: Path) -> None:
    info = json.loads(json.dumps(model.info()))
    assert (info["dimension"], info["heads"]) == (HIDDEN, ["dense", "sparse", "multi_vector"])
    assert model.count_tokens("the fox") == len(TINY.ids("the fox"))
    assert model.fingerprint != SentenceTransformer(folder, backend="onnx").fingerprint
    copied = pickle.loads(pickle.dumps(model))
    assert copied.encode("dog", **ALL)["lexical_weights"] == model.encode("dog", **ALL)["lexical_weights"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda model: model.encode(["a", 3]), InputTypeError, r"sentences\[1\] is .*int"),
        (lambda model: model.encode(3), InputTypeError, "sentences is .*int.*expected a str or a list of str"),
        (lambda model: model.encode(["\ud800"]), InputError, r"sentences\[0\]"),
        (lambda model: model.encode(["a"], batch_size=0), OptionError, "batch_size must be a positive integer, got 0"),
        (lambda model: model.encode(["a"], return_dense=False), OptionError, "no head is asked; expected return_dense"),
        (lambda model: model.encode_queries([None]), InputTypeError, r"queries\[0\]"),
        (lambda model: model.encode_corpus({}), InputTypeError, "corpus is"),
        (
            lambda model: model.compute_score([("a", "b"), ("c",)]),
            InputError,
            r"pairs\[1\] is a tuple of 1; exp",
        ),
        (lambda model: model.compute_score([("a", "b"), ("c", 1)]), InputTypeError, r"sentence_pairs\[1\]\[1\] is"),
        (lambda model: model.compute_score([("a", "b"), "cd"]), InputTypeError, r"sentence_pairs\[1\] is"),
        (lambda model: model.compute_score("ab"), InputTypeError, "sentence_pairs is"),
        (lambda model: model.compute_score(["a", "b", "c"]), InputError, "sentence_pairs is a list of 3"),
        (lambda model: scored(model, [1, 1]), OptionError, r"weights_for_different_modes is \[1, 1\]; expected three"),
        (lambda model: scored(model, [1, "1", 1]), OptionError, "expected three numbers"),
        (lambda model: scored(model, [1, -1, 0]), OptionError, "whose sum is not 0"),
        (lambda model: scored(model, [1, math.nan, 0]), OptionError, "expected three numbers"),
        (lambda model: scored(model, 3), OptionError, "expected three numbers"),
    ],
)
def test_bad_input(call: Any, error: type[Exception], message: str, model: BGEM3) -> None:
    with pytest.raises(error, match=message):
        call(model)


def scored(model: BGEM3, weights: Any) -> Any:
    return model.compute_score([("a", "b")], weights_for_different_modes=weights)


def test_a_folder_with_one_head(tmp_path: Path) -> None:
    said = {name: HEADS[name] for name in ("dense", "multi_vector")}
    graph = GraphOfHeads(heads=("sentence_embedding", "token_embeddings"))
    model = BGEM3(TinyHeads(said=said, graph=graph).save(tmp_path))
    assert model.encode(["fox"], return_colbert_vecs=True)["lexical_weights"] is None
    with pytest.raises(OptionError, match="has no sparse head; it has dense and multi-vector"):
        model.encode(["fox"], return_sparse=True)
    with pytest.raises(OptionError, match="has no sparse head"):
        model.compute_score([("a", "b")])


def test_a_folder_without_heads(tmp_path: Path) -> None:
    with pytest.raises(WrongClassError, match=r"has no sparse and no multi-vector head; it has dense.*edge-st export"):
        BGEM3(TinyModel().save(tmp_path))


def test_a_broken_weight_names_its_text(tmp_path: Path, engine: str) -> None:
    model = BGEM3(TinyHeads(graph=GraphOfHeads(broken=True)).save(tmp_path), backend=engine)
    assert np.isfinite(model.encode(["fox"])["dense_vecs"]).all()
    with pytest.raises(NotFiniteError, match=r"inputs\[0\], 'fox': the first module .* gives NaN or infinity"):
        model.encode(["fox"], return_sparse=True)


def test_changed_settings_are_saved_by_their_own_class_only(tmp_path: Path) -> None:
    model = BGEM3(TINY.save(tmp_path / "model"), backend="onnx")
    model.save_pretrained(tmp_path / "copy")
    assert BGEM3(tmp_path / "copy", backend="onnx").fingerprint == model.fingerprint
    model.max_seq_length = 10
    with pytest.raises(OptionError, match=r"sentence_bert_config\.json are those of the SentenceTransformer"):
        model.save_pretrained(tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.fixture
def pool(model: BGEM3) -> Iterator[dict[str, Any]]:
    workers = model.start_multi_process_pool(["cpu", "cpu"])
    yield workers
    model.stop_multi_process_pool(workers)


def test_several_processes(model: BGEM3, pool: dict[str, Any]) -> None:
    alone = model.encode(TEXTS, max_length=LENGTH, **ALL)
    found = model.encode(TEXTS, max_length=LENGTH, **ALL, pool=pool)
    for own, wanted in zip(found["lexical_weights"], alone["lexical_weights"], strict=True):
        assert own == pytest.approx(wanted)
    np.testing.assert_allclose(found["dense_vecs"], alone["dense_vecs"], atol=1e-6)
