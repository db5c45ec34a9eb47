"""The modules after pooling, against their formulas."""

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError, UnsupportedModelError
from edge_st_runtime.modules.activations import ACTIVATIONS
from edge_st_runtime.modules.specs import (
    CNN,
    Dense,
    Dropout,
    InGraph,
    LayerNorm,
    Module,
    Normalize,
    Pooling,
    Widths,
    WordWeights,
    apply_modules,
)

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


def test_word_weights() -> None:
    weights = np.array([9, 0.5, 2], dtype=np.float32)
    tokens = generator.standard_normal((2, 3, 4)).astype(np.float32)
    features = {
        "input_ids": np.array([[1, 2, 1], [2, 0, 0]]),
        "attention_mask": np.array([[1, 1, 1], [1, 0, 0]]),
        "token_embeddings": tokens,
    }
    weighted = WordWeights(weights)(features)
    np.testing.assert_allclose(weighted["token_weights_sum"], [3, 2])
    found = Pooling(("mean", "mean_sqrt_len_tokens"))(weighted)["sentence_embedding"]
    sums = np.stack((tokens[0].T @ [0.5, 2, 0.5], tokens[1, 0] * 2))
    np.testing.assert_allclose(found[:, :4], sums / [[3], [2]], rtol=1e-5)
    np.testing.assert_allclose(found[:, 4:], sums / np.sqrt([[3], [2]]), rtol=1e-5)
    done = WordWeights(weights, in_graph=True)(features)
    assert done["token_embeddings"] is tokens
    np.testing.assert_allclose(done["token_weights_sum"], [3, 2])


@pytest.mark.parametrize("left", [False, True], ids=["padded right", "padded left"])
def test_convolution_of_each_text_alone(left: bool) -> None:
    kernels = [generator.standard_normal((size, 4, 2)).astype(np.float32) for size in (1, 3, 5)]
    biases = [generator.standard_normal(2).astype(np.float32) for _ in kernels]
    texts = [generator.standard_normal((length, 4)).astype(np.float32) for length in (6, 1, 4)]
    tokens = np.full((3, 6, 4), 7, dtype=np.float32)
    mask = np.zeros((3, 6), dtype=np.int64)
    for row, text in enumerate(texts):
        own = slice(6 - len(text), None) if left else slice(len(text))
        tokens[row, own], mask[row, own] = text, 1
    module = CNN(tuple(kernels), tuple(biases))
    found = module({"token_embeddings": tokens, "attention_mask": mask})["token_embeddings"]
    for row, text in enumerate(texts):
        np.testing.assert_allclose(
            found[row][mask[row] == 1], naive_convolution(text, kernels, biases), rtol=1e-4, atol=1e-5
        )


def naive_convolution(text: np.ndarray, kernels: list[np.ndarray], biases: list[np.ndarray]) -> np.ndarray:
    rows = []
    for place in range(len(text)):
        parts = []
        for kernel, bias in zip(kernels, biases, strict=True):
            reach = range(place - len(kernel) // 2, place + len(kernel) // 2 + 1)
            inside = [(step, other) for step, other in enumerate(reach) if 0 <= other < len(text)]
            parts.append(bias + sum(text[other] @ kernel[step] for step, other in inside))
        rows.append(np.concatenate(parts))
    return np.array(rows)


CONVOLUTION = CNN((np.zeros((3, 4, 2), dtype=np.float32),) * 2, (np.zeros(2, dtype=np.float32),) * 2)


@pytest.mark.parametrize(
    ("module", "widths", "expected"),
    [
        (Pooling(("mean", "max")), {"token_embeddings": 4}, {"token_embeddings": 4, "sentence_embedding": 8}),
        (Pooling(), {"token_embeddings": None}, {"token_embeddings": None, "sentence_embedding": None}),
        (Dense(WEIGHT, None, tanh), {"sentence_embedding": 4}, {"sentence_embedding": 6}),
        (Dense(WEIGHT, None, tanh), {"sentence_embedding": None}, {"sentence_embedding": 6}),
        (Dense(WEIGHT, None, ACTIVATIONS["GLU"]), {"sentence_embedding": 4}, {"sentence_embedding": 3}),
        (LayerNorm(BIAS, BIAS), {"sentence_embedding": 6}, {"sentence_embedding": 6}),
        (Normalize(), {"sentence_embedding": 5}, {"sentence_embedding": 5}),
        (CONVOLUTION, {"token_embeddings": 4}, {"token_embeddings": 4}),
        (WordWeights(BIAS), {"token_embeddings": 4}, {"token_embeddings": 4}),
        (Dropout(), {"sentence_embedding": 4}, {"sentence_embedding": 4}),
        (InGraph("LSTM"), {"token_embeddings": 4}, {"token_embeddings": 4}),
    ],
)
def test_widths(module: Module, widths: Widths, expected: Widths) -> None:
    assert module.widths(widths) == expected


@pytest.mark.parametrize(
    ("module", "widths", "message"),
    [
        (Dense(WEIGHT, None, tanh), {"sentence_embedding": 5}, "Dense takes 4 dimensions.* give 5"),
        (LayerNorm(BIAS, BIAS), {"sentence_embedding": 4}, "LayerNorm takes 6 dimensions.* give 4"),
        (CONVOLUTION, {"token_embeddings": 5}, "CNN takes 4 dimensions.* give 5"),
    ],
)
def test_modules_of_the_wrong_width(module: Module, widths: Widths, message: str) -> None:
    with pytest.raises(DamagedFileError, match=message):
        module.widths(widths)


@pytest.mark.parametrize(
    "module", [Pooling(), Normalize(), WordWeights(BIAS), Dense(WEIGHT, None, tanh, input_name="other")], ids=repr
)
def test_modules_that_read_what_is_not_there(module: Module) -> None:
    with pytest.raises(UnsupportedModelError, match=r"reads '\w+', but the modules before it give something"):
        module.widths({"something": 4})
