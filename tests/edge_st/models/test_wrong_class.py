"""A folder opened by the class it does not belong to: the error names the right one, and that one opens it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.models.classes import open_model
from edge_st_runtime.errors import UnsupportedModelError, WrongClassError
from tests.support.tiny_models import TinyModel, write_json
from tests.support.tiny_pair_models import TinyCrossEncoder, TinySparseEncoder

CLASSES = (SentenceTransformer, CrossEncoder, SparseEncoder)
FOLDERS: dict[str, tuple[Callable[[Path], Path], Any]] = {
    "an encoder": (TinyModel().save, SentenceTransformer),
    "a new encoder": (TinyModel(settings={"model_type": "SentenceTransformer"}).save, SentenceTransformer),
    "an old cross-encoder": (TinyCrossEncoder().save, CrossEncoder),
    "a cross-encoder": (TinyCrossEncoder(settings={"model_type": "CrossEncoder"}).save, CrossEncoder),
    "a sparse encoder": (TinySparseEncoder().save, SparseEncoder),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_every_class(case: str, tmp_path: Path) -> None:
    save, own = FOLDERS[case]
    folder = save(tmp_path)
    for kind in CLASSES:
        if kind is own:
            assert type(kind(folder, backend="onnx")) is own
            continue
        message = rf"is a {own.__name__}, not a {kind.__name__}; open it with edge_st\.{own.__name__}$"
        with pytest.raises(WrongClassError, match=message) as raised:
            kind(folder, backend="onnx")
        assert isinstance(raised.value, ValueError)
    assert type(open_model(folder, backend="onnx")) is own


def test_a_plain_transformer_is_no_cross_encoder(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path)
    for name in ("modules.json", "config_sentence_transformers.json"):
        (folder / name).unlink()
    write_json(folder / "config.json", {"model_type": "bert", "architectures": ["BertModel"]})
    assert type(open_model(folder, backend="onnx")) is SentenceTransformer
    for kind, needed in ((CrossEncoder, "ForSequenceClassification"), (SparseEncoder, "ForMaskedLM")):
        with pytest.raises(UnsupportedModelError, match=rf"needs {needed}.*random weights.*SentenceTransformer"):
            kind(folder, backend="onnx")


def test_settings_of_another_class_are_no_option(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="max_active_dims"):
        open_model(TinyCrossEncoder().save(tmp_path), backend="onnx", max_active_dims=3)
