"""Module folders → specs: the configurations of every version, and those that are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError, MissingFileError, UnsupportedModelError
from edge_st_runtime.modules.activations import ACTIVATIONS
from edge_st_runtime.modules.loaders import load_module
from edge_st_runtime.modules.specs import (
    CNN,
    Dense,
    Dropout,
    LayerNorm,
    Normalize,
    NormalizeTokens,
    Pooling,
    WordWeights,
)
from tests.support.tiny_models import write_json, write_safetensors

WEIGHT, BIAS = np.arange(6, dtype="f4").reshape(3, 2), np.ones(3, dtype="f4")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, Pooling(("cls",))),
        ({"pooling_mode_lasttoken": True, "include_prompt": False}, Pooling(("lasttoken",), include_prompt=False)),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, Pooling(("max", "mean"))),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, Pooling(("mean_sqrt_len_tokens",))),
        ({"pooling_mode_weightedmean_tokens": True}, Pooling(("weightedmean",))),
        ({"pooling_mode_mean_tokens": False}, Pooling(("mean",))),
        ({"embedding_dimension": 8, "pooling_mode": "cls", "include_prompt": True}, Pooling(("cls",))),
        ({"pooling_mode": ["lasttoken", "mean"]}, Pooling(("lasttoken", "mean"))),
        ({}, Pooling(("mean",))),
    ],
    ids=str,
)
def test_pooling(config: dict[str, Any], expected: Pooling, tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", config)
    assert load_module("Pooling", tmp_path) == expected


def test_unknown_pooling_mode(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"pooling_mode": ["mean", "median"]})
    with pytest.raises(UnsupportedModelError, match=r"'median'; expected one of cls, max"):
        load_module("Pooling", tmp_path)


def write_dense(folder: Path, tensors: dict[str, Any], **config: Any) -> Path:
    write_json(folder / "config.json", {"in_features": 2, "out_features": 3, "bias": True, **config})
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def test_dense_of_an_old_version(tmp_path: Path) -> None:
    tensors = {"linear.weight": WEIGHT, "linear.bias": BIAS.astype("f2")}
    module = load_module("Dense", write_dense(tmp_path, tensors))
    assert isinstance(module, Dense)
    assert module.activation is ACTIVATIONS["Tanh"]
    assert (module.input_name, module.output_name, module.residual) == (
        "sentence_embedding",
        "sentence_embedding",
        None,
    )
    np.testing.assert_array_equal(module.weight, WEIGHT)
    assert module.bias is not None
    assert module.bias.dtype == np.float32


def test_dense_of_a_new_version(tmp_path: Path) -> None:
    config = {
        "bias": False,
        "use_residual": True,
        "activation_function": "torch.nn.modules.activation.SiLU",
        "module_input_name": "token_embeddings",
        "module_output_name": None,
    }
    tensors = {"linear.weight": WEIGHT, "residual.weight": WEIGHT + 1}
    module = load_module("Dense", write_dense(tmp_path, tensors, **config))
    assert isinstance(module, Dense)
    assert module.activation is ACTIVATIONS["SiLU"]
    assert (module.input_name, module.output_name, module.bias) == ("token_embeddings", "token_embeddings", None)
    np.testing.assert_array_equal(module.residual, WEIGHT + 1)


@pytest.mark.parametrize(
    ("tensors", "config", "message"),
    [
        ({"linear.bias": BIAS}, {}, "no tensor 'linear.weight'; it has linear.bias"),
        ({"linear.weight": WEIGHT}, {}, "no tensor 'linear.bias'"),
        ({"linear.weight": WEIGHT, "linear.bias": BIAS}, {"use_residual": True}, "no tensor 'residual.weight'"),
        (
            {"linear.weight": WEIGHT, "linear.bias": BIAS},
            {"in_features": 4},
            r"shape \(3, 2\), config.json says \(3, 4\)",
        ),
        ({"linear.weight": BIAS, "linear.bias": BIAS}, {}, "linear.weight has shape"),
        ({"linear.weight": WEIGHT, "linear.bias": BIAS[:2]}, {}, "linear.bias has shape"),
    ],
    ids=["no weight", "no bias", "no residual", "other size", "weight is a vector", "bias of another size"],
)
def test_damaged_dense(tensors: dict[str, Any], config: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=message):
        load_module("Dense", write_dense(tmp_path, tensors, **config))


def test_custom_activation_is_not_run(tmp_path: Path) -> None:
    tensors = {"linear.weight": WEIGHT, "linear.bias": BIAS}
    with pytest.raises(UnsupportedModelError, match=r"'os.system'"):
        load_module("Dense", write_dense(tmp_path, tensors, activation_function="os.system"))


def test_pickled_weights_are_not_opened(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"in_features": 2, "out_features": 3})
    with pytest.raises(MissingFileError, match=r"model.safetensors is missing"):
        load_module("Dense", tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(MissingFileError, match=r"pytorch_model.bin, a pickle.*edge-st export"):
        load_module("Dense", tmp_path)


def test_layer_norm(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"norm.weight": BIAS, "norm.bias": BIAS * 2})
    module = load_module("LayerNorm", tmp_path)
    assert isinstance(module, LayerNorm)
    np.testing.assert_array_equal(module.bias, [2, 2, 2])


def test_modules_without_files(tmp_path: Path) -> None:
    assert load_module("Normalize", tmp_path / "no folder") == Normalize()
    assert load_module("Dropout", tmp_path) == Dropout()


def test_normalize_of_token_vectors(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"module_input_name": "token_embeddings"})
    assert load_module("Normalize", tmp_path) == NormalizeTokens()


@pytest.mark.parametrize(
    "config", [{"module_input_name": "scores"}, {"module_output_name": "token_embeddings"}], ids=str
)
def test_normalize_of_something_else(config: dict[str, str], tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", config)
    with pytest.raises(UnsupportedModelError, match=r"expected sentence_embedding or token_embeddings, into itself"):
        load_module("Normalize", tmp_path)


@pytest.mark.parametrize("name", ["Unheard", "Transformer", ""])
def test_unknown_module(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedModelError,
        match=f"module '{name}'.*CNN, Dense, Dropout, HierarchicalTokenPooling, LSTM, LayerNorm",
    ):
        load_module(name, tmp_path)


def test_cnn(tmp_path: Path) -> None:
    write_json(
        tmp_path / "cnn_config.json", {"in_word_embedding_dimension": 2, "out_channels": 3, "kernel_sizes": [1, 3]}
    )
    tensors = {
        f"convs.{i}.{name}": np.arange(np.prod(shape), dtype="f4").reshape(shape)
        for i, size in enumerate((1, 3))
        for name, shape in {"weight": (3, 2, size), "bias": (3,)}.items()
    }
    write_safetensors(tmp_path / "model.safetensors", tensors)
    module = load_module("CNN", tmp_path)
    assert isinstance(module, CNN)
    assert [kernel.shape for kernel in module.kernels] == [(1, 2, 3), (3, 2, 3)]
    np.testing.assert_array_equal(module.kernels[1][2].T, tensors["convs.1.weight"][:, :, 2])


def test_cnn_of_even_size(tmp_path: Path) -> None:
    write_json(tmp_path / "cnn_config.json", {"kernel_sizes": [1, 2]})
    write_safetensors(tmp_path / "model.safetensors", {"convs.0.bias": BIAS})
    with pytest.raises(UnsupportedModelError, match="kernel of 2 tokens; expected odd sizes"):
        load_module("CNN", tmp_path)


def test_word_weights(tmp_path: Path) -> None:
    config = {"vocab": ["a", "B", "c"], "word_weights": {"a": 2, "b": 3}, "unknown_word_weight": 0.5}
    write_json(tmp_path / "config.json", config)
    module = load_module("WordWeights", tmp_path)
    assert isinstance(module, WordWeights)
    np.testing.assert_array_equal(module.weights, [2, 3, 0.5])


def test_dense_with_a_learned_slope(tmp_path: Path) -> None:
    slope = np.array([0.25], dtype="f4")
    tensors = {"linear.weight": WEIGHT, "linear.bias": BIAS, "activation_function.weight": slope}
    folder = write_dense(tmp_path, tensors, activation_function="torch.nn.modules.activation.PReLU")
    module = load_module("Dense", folder)
    assert isinstance(module, Dense)
    np.testing.assert_allclose(module.activation(np.array([-2, 0, 3], dtype="f4")), [-0.5, 0, 3])


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Softmin"])
def test_softmax_over_tokens_would_mix_texts(name: str, tmp_path: Path) -> None:
    config = {"activation_function": f"torch.nn.modules.activation.{name}", "module_input_name": "token_embeddings"}
    with pytest.raises(UnsupportedModelError, match="depends on the other texts of its batch"):
        load_module("Dense", write_dense(tmp_path, {"linear.weight": WEIGHT, "linear.bias": BIAS}, **config))
