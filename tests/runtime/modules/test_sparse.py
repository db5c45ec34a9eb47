"""The modules of sparse embeddings against their formulas; their files, whole and damaged."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.errors import DamagedFileError, MissingFileError, UnsafePathError, UnsupportedModelError
from edge_st_runtime.modules.loaders import load_module
from edge_st_runtime.modules.sparse import SparseAutoEncoder, SparseStaticBackend, SpladePooling, open_sparse_static
from tests.support.tiny_models import write_json, write_safetensors

GENERATOR = np.random.default_rng(9)
LOGITS = GENERATOR.standard_normal((3, 5, 7)).astype(np.float32) * 3
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
WEIGHT = GENERATOR.standard_normal((6, 4)).astype(np.float32)
PRE_BIAS, LATENT_BIAS = (GENERATOR.standard_normal(count).astype(np.float32) for count in (4, 6))
VECTORS = GENERATOR.standard_normal((20, 4)).astype(np.float32) * 2


def splade(text: int, word: int, strategy: str, logarithms: int) -> float:
    """One weight: the maximum or sum over the tokens of log(1 + max(x, 0)), with the logarithm taken once or twice."""
    found = [max(float(LOGITS[text, token, word]), 0) for token in range(5) if MASK[text, token]]
    for _ in range(logarithms):
        found = [math.log(1 + value) for value in found]
    return max(found, default=0.0) if strategy == "max" else sum(found)


@pytest.mark.parametrize(("activation", "logarithms"), [("relu", 1), ("log1p_relu", 2)])
@pytest.mark.parametrize("strategy", ["max", "sum"])
def test_splade_pooling(strategy: str, activation: str, logarithms: int, tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"pooling_strategy": strategy, "activation_function": activation})
    module = load_module("SpladePooling", tmp_path)
    assert module == SpladePooling(strategy, logarithms)
    before = LOGITS.copy()
    found = module({"token_embeddings": LOGITS, "attention_mask": MASK})["sentence_embedding"]
    expected = [[splade(text, word, strategy, logarithms) for word in range(7)] for text in range(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(LOGITS, before)
    assert module.widths({"token_embeddings": 7}) == {"token_embeddings": 7, "sentence_embedding": 7}


def test_splade_pooling_without_a_file_or_with_keys_that_do_not_matter(tmp_path: Path) -> None:
    assert load_module("SpladePooling", tmp_path) == SpladePooling("max", 1)
    write_json(tmp_path / "config.json", {"word_embedding_dimension": None, "chunk_size": 8})
    assert load_module("SpladePooling", tmp_path) == SpladePooling("max", 1)


@pytest.mark.parametrize(
    "config", [{"pooling_strategy": "mean"}, {"activation_function": "gelu"}, {"pooling_strategy": None}], ids=str
)
def test_splade_pooling_of_another_kind(config: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", config)
    with pytest.raises(
        UnsupportedModelError, match=r"SpladePooling with .*; expected max or sum, and relu or log1p_relu"
    ):
        load_module("SpladePooling", tmp_path)


@pytest.mark.parametrize(
    "config", [{"pooling_strategy": ["max"]}, {"activation_function": {"a": 1}}, {"activation_function": ["relu"]}]
)
def test_splade_pooling_with_values_of_a_wrong_kind(config: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", config)
    with pytest.raises((UnsupportedModelError, DamagedFileError), match=r"SpladePooling|unexpected type"):
        load_module("SpladePooling", tmp_path)


def latents(vector: NDArray[np.float32], standardize: bool) -> list[float]:
    """W (x - b) + c, of x standardized as torch does: the unbiased deviation plus 1e-5."""
    values = [float(value) for value in vector]
    if standardize:
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
        values = [(value - mean) / (deviation + 1e-5) for value in values]
    centred = [value - float(bias) for value, bias in zip(values, PRE_BIAS, strict=True)]
    return [
        sum(float(w) * x for w, x in zip(row, centred, strict=True)) + float(bias)
        for row, bias in zip(WEIGHT, LATENT_BIAS, strict=True)
    ]


def write_auto_encoder(folder: Path, changes: dict[str, Any] | None = None, **tensors: Any) -> Path:
    config = {"input_dim": 4, "hidden_dim": 6, "k": 3, "k_aux": 4, "normalize": False, "dead_threshold": 30}
    write_json(folder / "config.json", config | (changes or {}))
    own = {"encoder.weight": WEIGHT, "pre_bias": PRE_BIAS, "latent_bias": LATENT_BIAS, **tensors}
    write_safetensors(folder / "model.safetensors", {name: value for name, value in own.items() if value is not None})
    return folder


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("k", [1, 3, 6, 50])
def test_sparse_auto_encoder(k: int, standardize: bool, tmp_path: Path) -> None:
    module = load_module("SparseAutoEncoder", write_auto_encoder(tmp_path, {"k": k, "normalize": standardize}))
    assert isinstance(module, SparseAutoEncoder)
    found = module({"sentence_embedding": VECTORS})["sentence_embedding"]
    for row, vector in zip(found, VECTORS, strict=True):
        own = latents(vector, standardize)
        kept = sorted(range(6), key=lambda place: -own[place])[:k]
        expected = [max(own[place], 0) if place in kept else 0 for place in range(6)]
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=2e-5)
    assert found.dtype == np.float32


def test_sparse_auto_encoder_with_another_number_of_latents(tmp_path: Path) -> None:
    module = load_module("SparseAutoEncoder", write_auto_encoder(tmp_path))
    before = VECTORS.copy()
    whole = module({"sentence_embedding": VECTORS, "max_active_dims": 6})["sentence_embedding"]
    one = module({"sentence_embedding": VECTORS, "max_active_dims": 1})["sentence_embedding"]
    assert (whole > 0).sum(axis=1).max() > 3
    np.testing.assert_array_equal(one.max(axis=1), whole.max(axis=1))
    assert (one > 0).sum(axis=1).max() == 1
    np.testing.assert_array_equal(VECTORS, before)


def test_widths_of_a_sparse_auto_encoder(tmp_path: Path) -> None:
    module = load_module("SparseAutoEncoder", write_auto_encoder(tmp_path))
    assert module.widths({"sentence_embedding": 4})["sentence_embedding"] == 6
    with pytest.raises(DamagedFileError, match="SparseAutoEncoder takes 4 dimensions and the modules before it give 5"):
        module.widths({"sentence_embedding": 5})


@pytest.mark.parametrize(
    ("config", "tensors", "message"),
    [
        ({}, {"encoder.weight": None}, r"no tensor 'decoder\.linear\.weight'; it has"),
        ({}, {"pre_bias": None}, "no tensor 'pre_bias'"),
        ({}, {"latent_bias": None}, "no tensor 'latent_bias'"),
        ({}, {"pre_bias": LATENT_BIAS}, r"pre_bias has shape \(6,\); expected \(4,\)"),
        ({}, {"latent_bias": PRE_BIAS}, r"latent_bias has shape \(4,\); expected \(6,\)"),
        ({"hidden_dim": 7}, {}, r"encoder\.weight has shape \(6, 4\); expected \(7, 4\)"),
        ({"k": None}, {}, "k is None; expected a whole number of at least 1"),
        ({"k": "many"}, {}, "k is 'many'; expected a whole number"),
        ({"k": 0}, {}, "k is 0; expected a whole number"),
        ({"k": -3}, {}, "k is -3; expected a whole number"),
    ],
    ids=str,
)
def test_damaged_sparse_auto_encoder(
    config: dict[str, Any], tensors: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DamagedFileError, match=message):
        load_module("SparseAutoEncoder", write_auto_encoder(tmp_path, config, **tensors))


def test_a_sparse_auto_encoder_without_settings(tmp_path: Path) -> None:
    folder = write_auto_encoder(tmp_path)
    write_json(folder / "config.json", {})
    with pytest.raises(DamagedFileError, match="hidden_dim"):
        load_module("SparseAutoEncoder", folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(MissingFileError, match=r"model\.safetensors is missing"):
        load_module("SparseAutoEncoder", folder)


IDF = np.array([0.5, 0, 2.25, -1, 4], dtype=np.float32)
BATCH = TokenBatch(
    np.array([[4, 2, 4, 0], [2, 0, 0, 0], [0, 0, 0, 0]]), np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0] * 4])
)


def test_a_weight_for_every_token_that_occurs() -> None:
    found = SparseStaticBackend(IDF).run(BATCH)
    np.testing.assert_array_equal(found, [[0, 0, 2.25, 0, 4], [0.5, 0, 2.25, 0, 0], [0] * 5])
    assert (found.dtype, SparseStaticBackend(IDF).width) == (np.float32, 5)


def test_a_token_without_weight() -> None:
    with pytest.raises(
        DamagedFileError, match=r"token 4 has no weight among 4; .*tokenizer\.json are from different models"
    ):
        SparseStaticBackend(IDF[:4]).run(BATCH)


TOKENS = {"sea": 0, "[PAD]": 1, "fox": 2, "dog": 3, "old": 4}


def test_weights_of_a_file(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"weight": IDF.astype(np.float16)})
    for config in ({"frozen": True}, {"path": None}, {"path": "some/model"}):  # one that is no JSON file is not read
        write_json(tmp_path / "config.json", config)
        found = open_sparse_static(tmp_path, TOKENS.get)
        np.testing.assert_array_equal(found.weights, IDF)
        assert found.weights.dtype == np.float32


@pytest.mark.parametrize("path", ["idf.json", "somewhere/else/idf.json"])
def test_weights_by_token(path: str, tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"path": path})
    write_json(tmp_path / "idf.json", {"old": 4, "sea": 0.5, "fox": 2.25, "dog": -1})
    np.testing.assert_array_equal(open_sparse_static(tmp_path, TOKENS.get).weights, IDF)


@pytest.mark.parametrize(
    "content", [{}, {"fox": 1, "unheard": 2}, {"fox": "x"}, {"fox": None}, {"fox": [1, 2]}, [1.0], "fox"], ids=str
)
def test_weights_by_token_that_are_damaged(content: Any, tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"path": "idf.json"})
    write_json(tmp_path / "idf.json", content)
    with pytest.raises(DamagedFileError, match=r"idf\.json"):
        open_sparse_static(tmp_path, TOKENS.get)


@pytest.mark.parametrize("path", ["missing.json", "..\\x.json"])
def test_weights_by_token_that_are_not_there(path: str, tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"path": path})
    with pytest.raises((MissingFileError, UnsafePathError), match=r"missing|outside"):
        open_sparse_static(tmp_path, TOKENS.get)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [({"idf": IDF}, "holds idf; expected a vector called weight"), ({"weight": WEIGHT}, "expected a vector")],
    ids=["another name", "a matrix"],
)
def test_weights_of_a_damaged_file(tensors: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "model.safetensors", tensors)
    with pytest.raises(DamagedFileError, match=message):
        open_sparse_static(tmp_path, TOKENS.get)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DamagedFileError, match="truncated"):
        open_sparse_static(tmp_path, TOKENS.get)
    path.unlink()
    with pytest.raises(MissingFileError, match=r"model\.safetensors is missing"):
        open_sparse_static(tmp_path, TOKENS.get)
