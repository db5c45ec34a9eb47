"""The class that opens a folder, and the modules of a folder without modules.json."""

from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import DamagedFileError, UnsupportedModelError, WrongClassError
from edge_st_runtime.model.classes import TASKS, find_model_type
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.modules.sparse import SpladePooling
from edge_st_runtime.modules.specs import InGraph, Pooling
from tests.support.tiny_models import write_json

DENSE, CROSS, SPARSE = "SentenceTransformer", "CrossEncoder", "SparseEncoder"
FOLDER = Path("folder")


@pytest.mark.parametrize("model_type", TASKS)
def test_the_folders_word_counts(model_type: str) -> None:
    settings = {"model_type": model_type}
    assert find_model_type(FOLDER, settings, "", model_type) == model_type
    assert find_model_type(FOLDER, settings, "", None) == model_type
    for other in set(TASKS) - {model_type}:
        message = f"folder is a {model_type}, not a {other}; open it with edge_st.{model_type}"
        with pytest.raises(WrongClassError, match=message) as raised:
            find_model_type(FOLDER, settings, "", other)
        assert raised.value.model_type == model_type


@pytest.mark.parametrize(
    ("settings", "architecture", "wanted", "expected"),
    [
        ({}, "", None, DENSE),
        ({}, "", DENSE, DENSE),
        ({"model_type": None}, "", DENSE, DENSE),
        ({}, "BertModel", None, DENSE),
        ({}, "BertForMaskedLM", DENSE, DENSE),
        ({}, "BertForMaskedLM", SPARSE, SPARSE),
        ({}, "BertForSequenceClassification", CROSS, CROSS),
        ({}, "XLMRobertaForSequenceClassification", None, CROSS),
        ({}, "Qwen3ForCausalLM", CROSS, CROSS),
        ({}, "Qwen3ForCausalLM", DENSE, DENSE),
        ({"model_type": SPARSE}, "BertForSequenceClassification", SPARSE, SPARSE),
    ],
    ids=str,
)
def test_what_a_folder_leaves_open(
    settings: dict[str, Any], architecture: str, wanted: str | None, expected: str
) -> None:
    assert find_model_type(FOLDER, settings, architecture, wanted) == expected


@pytest.mark.parametrize(
    ("settings", "architecture", "writer"),
    [
        ({"model_type": "ColBERT"}, "", "PyLate"),
        ({"query_prefix": "[Q] ", "document_prefix": "[D] "}, "", "PyLate"),
        ({"model_type": DENSE, "document_prefix": "[D] "}, "", "PyLate"),
        ({"query_prefix": "[Q] "}, "HF_ColBERT", "PyLate"),
        ({}, "HF_ColBERT", "Stanford's ColBERT"),
    ],
    ids=str,
)
@pytest.mark.parametrize("wanted", [None, "MultiVectorEncoder", DENSE])
def test_colbert_models_in_a_form_of_their_own(
    wanted: str | None, settings: dict[str, Any], architecture: str, writer: str
) -> None:
    with pytest.raises(
        UnsupportedModelError, match=f"is a ColBERT model as {writer} saves it; make a .*edge-st export"
    ):
        find_model_type(FOLDER, settings, architecture, wanted)


def test_models_of_pages_as_pictures() -> None:
    with pytest.raises(UnsupportedModelError, match="is a ColPaliForRetrieval, which compares texts with pages"):
        find_model_type(FOLDER, {}, "ColPaliForRetrieval", None)


@pytest.mark.parametrize(
    ("architecture", "wanted", "own"),
    [("", CROSS, DENSE), ("", SPARSE, DENSE), ("BertForSequenceClassification", DENSE, CROSS),
     ("BertForSequenceClassification", SPARSE, CROSS)],
)  # fmt: skip
def test_another_class(architecture: str, wanted: str, own: str) -> None:
    with pytest.raises(WrongClassError, match=f"is a {own}, not a {wanted}; open it with edge_st.{own}"):
        find_model_type(FOLDER, {}, architecture, wanted)


@pytest.mark.parametrize(
    ("architecture", "wanted", "needed"),
    [
        ("BertModel", CROSS, "ForSequenceClassification or ForCausalLM"),
        ("BertForMaskedLM", CROSS, "ForSequenceClassification or ForCausalLM"),
        ("BertModel", SPARSE, "ForMaskedLM"),
        ("Qwen3ForCausalLM", SPARSE, "ForMaskedLM"),
    ],
)
def test_a_class_whose_head_would_have_random_weights(architecture: str, wanted: str, needed: str) -> None:
    message = rf"is a {architecture} without modules.json; a {wanted} needs {needed}, or its head would have random"
    with pytest.raises(UnsupportedModelError, match=message) as raised:
        find_model_type(FOLDER, {}, architecture, wanted)
    assert not isinstance(raised.value, WrongClassError)


def test_a_class_that_is_not_run() -> None:
    with pytest.raises(UnsupportedModelError, match=f"is a AudioEncoder; this version runs {', '.join(TASKS)}"):
        find_model_type(FOLDER, {"model_type": "AudioEncoder"}, "", None)


@pytest.mark.parametrize("model_type", [3, ["CrossEncoder"], {"a": 1}], ids=str)
def test_a_class_of_a_wrong_kind(model_type: Any, tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"architectures": ["BertModel"]})
    write_json(tmp_path / "config_sentence_transformers.json", {"model_type": model_type})
    with pytest.raises((UnsupportedModelError, DamagedFileError)):
        read_folder(tmp_path, DENSE)


@pytest.mark.parametrize(
    ("architecture", "wanted", "modules", "output"),
    [
        ("BertModel", DENSE, (Pooling(("mean",)),), "token_embeddings"),
        ("BertForMaskedLM", DENSE, (Pooling(("mean",)),), "token_embeddings"),
        ("Qwen3ForCausalLM", DENSE, (Pooling(("lasttoken",)),), "token_embeddings"),
        ("BertForMaskedLM", SPARSE, (SpladePooling(),), "token_embeddings"),
        ("BertForSequenceClassification", CROSS, (), "scores"),
        ("Qwen3ForCausalLM", CROSS, (InGraph("LogitScore", "scores"),), "scores"),
    ],
)
def test_a_folder_without_modules(architecture: str, wanted: str, modules: Any, output: str, tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"architectures": [architecture]})
    folder = read_folder(tmp_path, wanted)
    route = folder.routes[""]
    assert (folder.model_type, route.modules, route.graph_output) == (wanted, modules, output)
    assert route.gives_scores is (wanted == CROSS)
