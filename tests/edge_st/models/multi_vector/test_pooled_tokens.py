"""Fewer vectors for a text: pooling by a module of the folder, and by an argument of the call."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import MultiVectorEncoder
from edge_st.multi_vector_encoder.modules import BaseTokenPooling, HierarchicalTokenPooling, LambdaTokenPooling
from tests.support.tiny_models import write_json
from tests.support.tiny_multi_vector import LONG, Folders, lengths

HALF = HierarchicalTokenPooling(2)


def pooled_folder(folders: Folders, **config: Any) -> Path:
    """A folder whose last module pools."""
    folder = folders.folder()
    modules = ["Transformer", "Dense", "MultiVectorMask", "Normalize", "HierarchicalTokenPooling"]
    kind = "sentence_transformers.multi_vector_encoder.modules.token_pooling.HierarchicalTokenPooling"
    entries = json.loads((folder / "modules.json").read_text("utf-8"))
    last = len(modules) - 1
    entries.append({"idx": last, "name": str(last), "path": f"{last}_{modules[-1]}", "type": kind})
    write_json(folder / "modules.json", entries)
    write_json(folder / f"{last}_{modules[-1]}" / "config.json", config)
    return folder


@pytest.mark.parametrize("output_value", ["token_embeddings", None])
def test_pooling_of_one_call(output_value: Any, plain: MultiVectorEncoder) -> None:
    whole = plain.encode_document([LONG, "one"])
    found = plain.encode_document([LONG, "one"], token_pooling=HALF, output_value=output_value)
    if output_value is None:
        found = [each["token_embeddings"][each["attention_mask"].astype(bool)] for each in found]
    for pooled, expected in zip(found, HALF.pool(whole), strict=True):
        np.testing.assert_allclose(pooled, expected, atol=1e-5)
    assert len(found[0]) == 1 + (len(whole[0]) - 1) // 2


def test_queries_are_pooled_where_they_are_asked_for(plain: MultiVectorEncoder) -> None:
    whole = plain.encode_query(LONG)
    np.testing.assert_array_equal(plain.encode_query(LONG, token_pooling=HALF), whole)
    both = HierarchicalTokenPooling(2, tasks=["query", "document"])
    assert len(plain.encode_query(LONG, token_pooling=both)) < len(whole)


def test_a_pooling_function(plain: MultiVectorEncoder) -> None:
    first: BaseTokenPooling = LambdaTokenPooling(lambda vectors: vectors[:2])
    assert lengths(plain.encode_document([LONG, "one"], token_pooling=first)) == [2, 2]


def test_pooling_in_the_folder_and_pooling_on_top_of_it(folders: Folders, caplog: pytest.LogCaptureFixture) -> None:
    folder = pooled_folder(folders, pool_factor=2)
    model = MultiVectorEncoder(folder, backend=folders.engine)
    whole, once = folders().encode_document(LONG), model.encode_document(LONG)
    np.testing.assert_allclose(once, HierarchicalTokenPooling(2, normalize_embeddings=False).pool_one(whole), atol=1e-5)
    assert len(model.encode_query("one")) == 12
    with caplog.at_level(logging.WARNING):
        model.encode_query("one", token_pooling=HALF)
    assert "pools" not in caplog.text
    assert len(model.encode_document(LONG, token_pooling=HALF)) < len(once)
    assert "`token_pooling=` pools them further" in caplog.text


def test_normalizing_pooled_vectors_comes_before_the_pooling_of_the_call(folders: Folders) -> None:
    model = MultiVectorEncoder(pooled_folder(folders, pool_factor=2), backend=folders.engine)
    assert np.linalg.norm(model.encode_document(LONG), axis=1).min() < 0.999
    found = model.encode_document(LONG, normalize_embeddings=True)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_pooling_decides_the_fingerprint(folders: Folders) -> None:
    found = {
        MultiVectorEncoder(pooled_folder(folders, pool_factor=factor), backend=folders.engine).fingerprint
        for factor in (1, 2)
    }
    assert len(found | {folders().fingerprint}) == 3
