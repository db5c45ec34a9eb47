"""Settings that a user edits by hand in an exported folder: they are read, and the record no longer speaks for it."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st_runtime.errors import DamagedFileError
from tests.support.tiny_models import TinyModel, write_json
from tests.support.tiny_tokenizers import random_texts
from tests.support.variants import FLOAT32, INT8, save_variants

TEXTS = random_texts(8)
SETTINGS, LIMITS = "config_sentence_transformers.json", "sentence_bert_config.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An exported folder with two graphs."""
    return save_variants(tmp_path / "model", model=TinyModel(graph_files=(FLOAT32, INT8), settings={"prompts": {}}))


@pytest.mark.parametrize(
    "edit", [{"prompts": {"query": "the "}}, {"truncate_dim": 4}, {"default_prompt_name": "query"}]
)
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_it_loads_with_a_warning(
    edit: dict[str, Any], dtype: str, folder: Path, tiny: TinyModel, caplog: pytest.LogCaptureFixture
) -> None:
    before = SentenceTransformer(folder, backend="onnx", dtype="float32")
    assert not caplog.messages
    settings = {"prompts": {"query": "the "}, **edit}
    write_json(folder / SETTINGS, settings)
    with caplog.at_level(logging.WARNING):
        model = SentenceTransformer(folder, backend="onnx", dtype=dtype)
    assert f"{folder / SETTINGS}: edited since the export" in caplog.messages[-1]
    assert "golden vectors of edge_st.json no longer speak for this folder" in caplog.messages[-1]
    assert model.fingerprint != before.fingerprint
    if dtype == "float32":
        expected = tiny.means(["the " + text for text in TEXTS])[:, : settings.get("truncate_dim")]
        np.testing.assert_allclose(model.encode_query(TEXTS), expected, atol=2e-6)


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "new"])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("edit", [{"max_seq_length": 5}, {"max_seq_length": 12, "do_lower_case": True}], ids=str)
def test_limits_and_case(
    edit: dict[str, Any], dtype: str, recorded: bool, folder: Path, tiny: TinyModel, caplog: pytest.LogCaptureFixture
) -> None:
    if not recorded:
        (folder / LIMITS).unlink()
        record = json.loads((folder / "edge_st.json").read_text())
        del record["files"][LIMITS]
        write_json(folder / "edge_st.json", record)
    before = SentenceTransformer(folder, backend="onnx", dtype="float32").fingerprint
    assert not caplog.messages
    write_json(folder / LIMITS, edit)
    with caplog.at_level(logging.WARNING):
        model = SentenceTransformer(folder, backend="onnx", dtype=dtype)
    (message,) = caplog.messages
    assert message.startswith(f"{folder / LIMITS}: edited since the export")
    assert model.max_seq_length == edit["max_seq_length"]
    assert model.fingerprint != before
    if dtype == "float32":
        expected = replace(tiny, limit=edit["max_seq_length"]).means([text.lower() for text in TEXTS])
        np.testing.assert_allclose(model.encode(TEXTS), expected, atol=2e-6)


def test_one_warning_names_both_files(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_json(folder / SETTINGS, {"prompts": {"query": "the "}})
    write_json(folder / LIMITS, {"max_seq_length": 5})
    SentenceTransformer(folder, backend="onnx")
    (message,) = caplog.messages
    assert message.startswith(f"{folder / SETTINGS} and {folder / LIMITS}: edited since the export")


def test_a_copy_that_is_saved_speaks_for_itself(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_json(folder / SETTINGS, {"prompts": {"query": "the "}})
    write_json(folder / LIMITS, {"max_seq_length": 5})
    model = SentenceTransformer(folder, backend="onnx", dtype="float32")
    model.max_seq_length = 9
    model.save_pretrained(tmp_path / "saved")
    caplog.clear()
    saved = SentenceTransformer(tmp_path / "saved", backend="onnx", dtype="float32")
    assert not caplog.messages
    assert saved.fingerprint == model.fingerprint
    assert json.loads((tmp_path / "saved" / "edge_st.json").read_text())["golden"] == {"texts": [], "vectors": []}


def test_other_files_are_still_checked(folder: Path) -> None:
    write_json(folder / SETTINGS, {"prompts": {"query": "the "}})
    write_json(folder / "config.json", {"model_type": "bert", "max_position_embeddings": 32})
    with pytest.raises(DamagedFileError, match=r"/config\.json has"):
        SentenceTransformer(folder, backend="onnx")


@pytest.mark.parametrize("name", [SETTINGS, LIMITS])
def test_settings_that_cannot_be_read(name: str, folder: Path) -> None:
    (folder / name).write_text("{")
    with pytest.raises(DamagedFileError, match=name):
        SentenceTransformer(folder, backend="onnx")
