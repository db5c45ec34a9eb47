"""heads.json: which class opens a folder by which head, and what a damaged or missing file says."""

from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import DamagedFileError, WrongClassError
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.model.heads import read_heads
from edge_st_runtime.model.loading import load_model
from edge_st_runtime.modules.heads import LexicalWeights
from edge_st_runtime.modules.specs import Normalize, Pooling
from tests.support.tiny_heads import HEADS, TinyHeads
from tests.support.tiny_models import TinyModel, write_json, write_record

ONNX = LoadOptions(backend="onnx")
SPARSE, MULTI = HEADS["sparse"], HEADS["multi_vector"]


def test_each_class_has_its_own_modules(tmp_path: Path) -> None:
    folder = TinyHeads(settings={"similarity_fn_name": "cosine", "prompts": {"query": "q: "}}).save(tmp_path)
    dense = read_folder(folder, "SentenceTransformer")
    assert dense.routes[""].modules == (Pooling(("cls",)), Normalize())
    assert not dense.by_head
    assert read_folder(folder).model_type == "SentenceTransformer"
    sparse, several = read_folder(folder, "SparseEncoder"), read_folder(folder, "MultiVectorEncoder")
    assert sparse.routes[""].modules[-1] == LexicalWeights(500, (0, 1, 2, 3))
    assert sparse.routes[""].head_outputs == ("token_weights", "sentence_embedding")
    assert several.routes[""].head_outputs == ("token_embeddings", "sentence_embedding")
    assert (sparse.settings["similarity_fn_name"], several.settings["similarity_fn_name"]) == ("dot", "meanmaxsim")
    assert sparse.settings["prompts"] == dense.settings["prompts"]
    outputs = ("sentence_embedding", "token_embeddings", "token_weights")
    assert read_folder(folder, "BGEM3").routes[""].head_outputs == outputs
    assert all(each.by_head for each in (sparse, several, read_folder(folder, "BGEM3")))


@pytest.mark.parametrize(
    ("said", "wanted", "message"),
    [
        ({"dense": {}, "multi_vector": MULTI}, "SparseEncoder", "has no sparse head; it has dense and multi-vector"),
        ({"dense": {}, "sparse": SPARSE}, "MultiVectorEncoder", "has no multi-vector head; it has dense and sparse"),
        ({"dense": {}}, "BGEM3", "has no sparse and no multi-vector head; it has dense, which edge_st.Sent.* opens;"),
    ],
)
def test_a_head_that_is_not_there(said: Any, wanted: str, message: str, tmp_path: Path) -> None:
    folder = TinyHeads(said=said).save(tmp_path)
    with pytest.raises(WrongClassError, match=message):
        read_folder(folder, wanted)


def test_a_model_without_heads_json(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path)
    assert read_heads(folder) is None
    with pytest.raises(WrongClassError, match="is a SentenceTransformer, not a SparseEncoder"):
        read_folder(folder, "SparseEncoder")
    with pytest.raises(WrongClassError, match="has no sparse and no multi-vector head"):
        read_folder(folder, "BGEM3")
    (folder / "sparse_linear.pt").write_bytes(b"")
    with pytest.raises(
        WrongClassError, match=r"no sparse head; it has dense.*the weights of heads are in sparse_linear.pt: export"
    ):
        read_folder(folder, "SparseEncoder")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([], "expected a JSON object"),
        ({}, "names the heads"),
        ({"dense": {}, "fourth": {}}, r"names the heads \['fourth'\]"),
        ({"sparse": []}, "sparse is .*expected a JSON object"),
        ({"sparse": {**SPARSE, "dimension": -1}}, "dimension is -1"),
        ({"sparse": {**SPARSE, "skipped_token_ids": [0, "1"]}}, "expected token ids"),
        ({"sparse": {**SPARSE, "skipped_token_ids": [True]}}, "expected token ids"),
        ({"sparse": {**SPARSE, "similarity_fn_name": 3}}, "similarity_fn_name is 3"),
        ({"multi_vector": {"similarity_fn_name": "maxsim"}}, "weights_sha256 is missing"),
    ],
)
def test_a_damaged_file(said: Any, message: str, tmp_path: Path) -> None:
    folder = TinyHeads(said=said).save(tmp_path)
    for wanted in ("SentenceTransformer", "SparseEncoder", "BGEM3"):
        with pytest.raises(DamagedFileError, match=message):
            read_folder(folder, wanted)


def test_the_record_has_to_list_it_and_its_checksum_counts(tmp_path: Path) -> None:
    folder = TinyHeads().save(tmp_path)
    write_record(folder)
    load_model(folder, ONNX, "SparseEncoder")
    write_json(folder / "heads.json", {**HEADS, "sparse": {**SPARSE, "skipped_token_ids": []}})
    with pytest.raises(DamagedFileError, match=r"heads\.json has \d+ bytes, expected"):
        load_model(folder, ONNX, "SparseEncoder")
    (folder / "heads.json").unlink()
    write_record(folder)
    write_json(folder / "heads.json", HEADS)
    with pytest.raises(DamagedFileError, match=r"edge_st\.json does not list heads\.json"):
        load_model(folder, ONNX, "SparseEncoder")
