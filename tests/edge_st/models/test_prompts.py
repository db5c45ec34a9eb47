"""Which prompt goes in front of which text, and what pooling does with it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.models.prompts import DOCUMENT_NAMES, merge_prompts, resolve_prompt, task_prompt_name
from edge_st_runtime.errors import OptionError
from tests.support.tiny_models import TinyModel
from tests.support.tiny_tokenizers import wordpiece

TEXTS = ["the quick fox", "", "who painted the old door"]
SAVED = {"prompts": {"query": "search: ", "passage": "old library: ", "topic": "sea "}, "default_prompt_name": None}
EXCLUDING = ("Pooling", {"pooling_mode": "mean", "include_prompt": False}, {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TinyModel(settings=SAVED).save(tmp_path_factory.mktemp("prompts"))


@pytest.fixture(scope="module")
def prompted(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(folder, backend="onnx")


def with_prompt(prompt: str) -> Any:
    return TinyModel().means([prompt + text for text in TEXTS])


@pytest.mark.parametrize(
    ("given", "saved", "merged"),
    [
        (None, None, {"query": "", "document": ""}),
        (None, {"query": "q: "}, {"query": "q: ", "document": ""}),
        ({"query": "mine "}, {"query": "q: ", "x": "y"}, {"query": "mine ", "document": "", "x": "y"}),
        ({"query": ""}, {"query": "q: "}, {"query": "", "document": ""}),
        (None, {"query": None, "document": "d: "}, {"query": "", "document": "d: "}),
    ],
)
def test_the_callers_prompts_win(
    given: Mapping[str, str] | None, saved: Mapping[str, str | None] | None, merged: dict[str, str]
) -> None:
    assert merge_prompts({"query": None, "document": None}, given, saved) == merged


PROMPTS = {"query": "q: ", "passage": "p: ", "default": "d: "}


@pytest.mark.parametrize(
    ("default", "name", "prompt", "expected"),
    [
        (None, None, None, None),
        (None, "query", None, "q: "),
        ("default", None, None, "d: "),
        ("default", "query", None, "q: "),
        ("default", None, "x: ", "x: "),
        ("default", None, "", ""),
        (None, "query", "x: ", "x: "),
    ],
)
def test_prompt_before_name_before_default(
    default: str | None, name: str | None, prompt: str | None, expected: str | None
) -> None:
    assert resolve_prompt(PROMPTS, default, name, prompt) == expected


def test_both_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        resolve_prompt(PROMPTS, None, "query", "x: ")
    assert "Ignoring the `prompt_name` in favor of `prompt`." in caplog.text


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        ({"corpus": "", "passage": "", "document": ""}, "document"),
        ({"corpus": "", "passage": ""}, "passage"),
        ({"corpus": ""}, "corpus"),
        ({"query": ""}, None),
    ],
    ids=str,
)
def test_names_of_a_document_prompt(prompts: dict[str, str], expected: str | None) -> None:
    assert task_prompt_name(prompts, DOCUMENT_NAMES, None, None) == expected
    assert task_prompt_name(prompts, DOCUMENT_NAMES, "mine", None) == "mine"
    assert task_prompt_name(prompts, DOCUMENT_NAMES, None, "x: ") is None


@pytest.mark.parametrize(
    ("method", "options", "prompt"),
    [
        ("encode", {}, ""),
        ("encode", {"prompt_name": "topic"}, "sea "),
        ("encode", {"prompt": "cold "}, "cold "),
        ("encode_query", {}, "search: "),
        ("encode_query", {"prompt_name": "topic"}, "sea "),
        ("encode_query", {"prompt": "cold "}, "cold "),
        ("encode_query", {"prompt": ""}, ""),
        ("encode_document", {}, ""),
        ("encode_document", {"prompt_name": "passage"}, "old library: "),
    ],
)
def test_encode(method: str, options: dict[str, str], prompt: str, prompted: SentenceTransformer) -> None:
    np.testing.assert_allclose(getattr(prompted, method)(TEXTS, **options), with_prompt(prompt), atol=2e-6)


def test_document_falls_back_to_passage_where_there_is_no_document(prompted: SentenceTransformer) -> None:
    prompts = dict(prompted.prompts)
    try:
        del prompted.prompts["document"]
        np.testing.assert_allclose(prompted.encode_document(TEXTS), with_prompt("old library: "), atol=2e-6)
    finally:
        prompted.prompts = prompts


def test_constructor(folder: Path) -> None:
    model = SentenceTransformer(folder, backend="onnx", prompts={"query": "cold "}, default_prompt_name="topic")
    assert model.prompts == {"query": "cold ", "document": "", "passage": "old library: ", "topic": "sea "}
    np.testing.assert_allclose(model.encode_query(TEXTS), with_prompt("cold "), atol=2e-6)
    np.testing.assert_allclose(model.encode(TEXTS), with_prompt("sea "), atol=2e-6)
    np.testing.assert_allclose(model.encode(TEXTS, prompt=""), with_prompt(""), atol=2e-6)
    np.testing.assert_allclose(model.encode_document(TEXTS), with_prompt(""), atol=2e-6)


def test_of_a_pair_only_the_first_text_gets_it(prompted: SentenceTransformer) -> None:
    expected = TinyModel().means([("sea fox", "dog")])
    np.testing.assert_allclose(prompted.encode([("fox", "dog")], prompt_name="topic"), expected, atol=2e-6)


def test_unknown_names(folder: Path, prompted: SentenceTransformer) -> None:
    with pytest.raises(
        ValueError, match=r"^Prompt name 'nope' not found in the configured prompts dictionary with keys \['query', 'd"
    ):
        prompted.encode("a", prompt_name="nope")
    with pytest.raises(
        ValueError, match=r"^Default prompt name 'nope' not found in the configured prompts dictionary with"
    ):
        SentenceTransformer(folder, backend="onnx", default_prompt_name="nope")
    with pytest.raises(ValueError, match=r"prompts has 'query': 3; expected names and prompts that are str"):
        SentenceTransformer(folder, backend="onnx", prompts={"query": 3})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompts": {"query": 3}}, "prompts has 'query': 3; expected names and prompts that are str"),
        ({"prompts": None}, "prompts is None; expected names with their prompts"),
        ({"prompts": ["query"]}, r"prompts is \['query'\]; expected names with their prompts"),
        ({"default_prompt_name": "zz", "prompts": {}}, "Prompt name 'zz' not found"),
    ],
    ids=str,
)
def test_what_is_set_later_is_checked(changes: dict[str, Any], message: str, folder: Path) -> None:
    model = SentenceTransformer(folder, backend="onnx")
    for name, value in changes.items():
        setattr(model, name, value)
    with pytest.raises(OptionError, match=message):
        model.encode_query("a")


def without_prompt(prompt: str) -> Any:
    length = len(wordpiece().encode(prompt)) - 1
    return np.stack([TinyModel().token_embeddings(prompt + text)[length:].mean(axis=0) for text in TEXTS])


def test_prompt_left_out_of_pooling(tmp_path: Path, engine: str) -> None:
    model = SentenceTransformer(TinyModel(modules=(EXCLUDING,), settings=SAVED).save(tmp_path), backend=engine)
    np.testing.assert_allclose(model.encode_query(TEXTS), without_prompt("search: "), atol=2e-6)
    np.testing.assert_allclose(model.encode(TEXTS), with_prompt(""), atol=2e-6)
    model.set_pooling_include_prompt(True)
    np.testing.assert_allclose(model.encode_query(TEXTS), with_prompt("search: "), atol=2e-6)


def test_pooling_setting_changes_results_and_fingerprint(folder: Path) -> None:
    model = SentenceTransformer(folder, backend="onnx")
    before = model.fingerprint
    model.set_pooling_include_prompt(False)
    np.testing.assert_allclose(model.encode_query(TEXTS), without_prompt("search: "), atol=2e-6)
    assert model.fingerprint != before


def test_features_with_a_prompt(prompted: SentenceTransformer) -> None:
    assert prompted.preprocess(TEXTS, prompt="sea ")["prompt_length"] == 2
    assert "prompt_length" not in prompted.preprocess(TEXTS)
    features = prompted.preprocess(["fox", ""], prompt="sea ")
    expected = wordpiece().encode("sea fox").ids
    assert features["input_ids"].tolist() == [expected, [*wordpiece().encode("sea ").ids, 0]]
    assert features["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
