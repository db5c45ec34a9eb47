"""Token types reach the models that have them, and only those, whatever the tokenizer gives."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from transformers import RobertaConfig

from edge_st.models.classes import open_model
from edge_st_export import ExportError, export_model
from edge_st_export.original.loading import find_source, load_original
from tests.export.originals import BERT_TOKENS
from tests.export.zoo.building import ROBERTA, ROBERTA_SIZES, but, saved
from tests.export.zoo.cross_encoders import DISTILBERT
from tests.export.zoo.sparse import splade
from tests.export.zoo.tokenizer_makers import ALL_INPUTS, with_types

TEXTS = ["the quick search", "a", ""]
TYPED = but(ROBERTA, tokenizer=with_types, tokens={**ROBERTA["tokens"], "model_input_names": ALL_INPUTS})
TRACED = but(TYPED, config=RobertaConfig(**ROBERTA_SIZES, type_vocab_size=2, hidden_act="silu"))
UNTYPED = but(DISTILBERT, tokens=BERT_TOKENS)
CASES: Mapping[str, tuple[Callable[[Path], Path], bool]] = {
    "roberta-traced": (saved(**TRACED), True),
    "splade-roberta": (splade(**TYPED), True),
    "distilbert": (saved(**UNTYPED), False),
    "splade-distilbert": (splade(**UNTYPED), False),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_model_takes_is_fed(name: str, tmp_path: Path) -> None:
    build, typed = CASES[name]
    original = build(tmp_path)
    report = export_model(original, tmp_path / "out", quiet=True)
    inputs = {port.name for port in onnx.load(report.path / "onnx/model.onnx", load_external_data=False).graph.input}
    assert ("token_type_ids" in inputs) == typed
    options: dict[str, Any] = {"convert_to_sparse_tensor": False} if "splade" in name else {}
    peer = load_original(find_source(original, None, None), trust_remote_code=False)
    wanted = np.asarray(peer.encode(TEXTS, **options))
    for engine in ("onnx", "openvino"):
        model: Any = open_model(report.path, backend=engine, dtype="float32")
        found = model.encode(TEXTS, **options)
        np.testing.assert_allclose(np.asarray(found), wanted, atol=1e-4)


def test_an_original_that_fails_is_named(tmp_path: Path) -> None:
    original = saved(**but(TYPED, config=RobertaConfig(**ROBERTA_SIZES, type_vocab_size=1)))(tmp_path)
    with pytest.raises(ExportError, match=r"encoding with the original failed \(IndexError.*sentence-transformers"):
        export_model(original, tmp_path / "out", engines=["onnx"], quiet=True)
