"""The modules after pooling, against their formulas."""

import numpy as np
import pytest

from edge_st_runtime.activations import ACTIVATIONS
from edge_st_runtime.modules import Dense, Dropout, LayerNorm, Normalize, apply_modules

generator = np.random.default_rng(1)
VECTORS = generator.standard_normal((3, 4)).astype(np.float32)
WEIGHT = generator.standard_normal((6, 4)).astype(np.float32)
BIAS = generator.standard_normal(6).astype(np.float32)
RESIDUAL = generator.standard_normal((6, 4)).astype(np.float32)
tanh = ACTIVATIONS["Tanh"]


@pytest.mark.parametrize("bias", [None, BIAS], ids=["without bias", "with bias"])
@pytest.mark.parametrize("residual", [None, RESIDUAL], ids=["plain", "residual"])
def test_dense(bias: np.ndarray | None, residual: np.ndarray | None) -> None:
    found = Dense(WEIGHT, bias, tanh, residual)({"sentence_embedding": VECTORS})["sentence_embedding"]
    for row, vector in zip(found, VECTORS, strict=True):
        expected = np.tanh(WEIGHT @ vector + (0 if bias is None else bias))
        np.testing.assert_allclose(row, expected + (0 if residual is None else residual @ vector), rtol=1e-5, atol=1e-6)


def test_dense_on_tokens_into_another_feature() -> None:
    tokens = generator.standard_normal((2, 5, 4)).astype(np.float32)
    module = Dense(WEIGHT, BIAS, tanh, input_name="token_embeddings", output_name="projected")
    found = module({"token_embeddings": tokens})
    assert found["token_embeddings"] is tokens
    np.testing.assert_allclose(found["projected"], np.tanh(tokens @ WEIGHT.T + BIAS), rtol=1e-5)


def test_layer_norm() -> None:
    weight, bias = BIAS[:4], BIAS[2:]
    found = LayerNorm(weight, bias)({"sentence_embedding": VECTORS})["sentence_embedding"]
    for row, vector in zip(found, VECTORS.astype(np.float64), strict=True):
        expected = (vector - vector.mean()) / np.sqrt(vector.var() + 1e-5) * weight + bias
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)


def test_normalize_leaves_zeros() -> None:
    vectors = np.stack((VECTORS[0], np.zeros(4, dtype=np.float32)))
    found = Normalize()({"sentence_embedding": vectors})["sentence_embedding"]
    np.testing.assert_allclose(found, [VECTORS[0] / np.linalg.norm(VECTORS[0]), np.zeros(4)], rtol=1e-6)


def test_modules_follow_one_another_and_keep_other_features() -> None:
    modules = (Dense(WEIGHT, None, ACTIVATIONS["ReLU"]), Dropout(), Normalize())
    found = apply_modules(modules, {"sentence_embedding": VECTORS, "attention_mask": 1})
    projected = np.maximum(VECTORS @ WEIGHT.T, 0)
    expected = projected / np.linalg.norm(projected, axis=1, keepdims=True)
    np.testing.assert_allclose(found["sentence_embedding"], expected, rtol=1e-5)
    assert found["attention_mask"] == 1
