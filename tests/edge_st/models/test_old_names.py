"""Names of earlier versions of sentence-transformers: they work, and are logged once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer
from edge_st.models.old_names import deprecated


@pytest.fixture(autouse=True)
def never_logged() -> None:
    deprecated.cache_clear()


@pytest.mark.parametrize("method", ["encode", "encode_query", "encode_document"])
def test_sentences(method: str, model: SentenceTransformer, caplog: pytest.LogCaptureFixture) -> None:
    found, _ = (getattr(model, method)(sentences=["the fox"]) for _ in range(2))
    assert caplog.messages == [
        "The `sentences` argument was renamed and is now deprecated. Please use `inputs` instead."
    ]
    np.testing.assert_array_equal(found, model.encode(["the fox"]))


def test_tokenize(model: SentenceTransformer, caplog: pytest.LogCaptureFixture) -> None:
    found, expected = model.tokenize(["the fox"]), model.preprocess(["the fox"])
    assert caplog.messages == ["The `tokenize` method is deprecated, please use `preprocess` instead."]
    assert {name: np.asarray(value).tolist() for name, value in found.items()} == {
        name: np.asarray(value).tolist() for name, value in expected.items()
    }


@pytest.mark.parametrize("old", [{"automodel_args": {}}, {"default_activation_function": "tanh"}], ids=str)
def test_a_constructor(
    old: dict[str, Any], cross_encoder_folders: dict[int, Path], caplog: pytest.LogCaptureFixture
) -> None:
    CrossEncoder(cross_encoder_folders[1], backend="onnx", **old)
    assert f"The `{next(iter(old))}` argument was renamed and is now deprecated." in caplog.text
