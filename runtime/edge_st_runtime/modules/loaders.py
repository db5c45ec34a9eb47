"""Read the modules of a model folder into frozen specs, by their class names in ``modules.json``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..engines.signature import SCORES, SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS
from ..errors import EXPORT, DamagedFileError, MissingFileError, OptionError, UnsupportedModelError
from ..files.reading import read_json, read_optional_json, reading, whole_number, wrong
from ..files.regular import is_there
from ..files.weights import read_safetensors
from .activations import SOFTMAX_FAMILY, Activation, PReLU, find_activation
from .pooling import POOLING
from .sparse import LOGARITHMS, STRATEGIES, SparseAutoEncoder, SpladePooling
from .specs import CNN, Dense, Dropout, InGraph, LayerNorm, Module, Normalize, NormalizeTokens, Pooling, WordWeights
from .token_mask import DOCUMENT, MultiVectorMask
from .token_pooling import HierarchicalTokenPooling

_NORMALIZES: dict[str, type[Normalize] | type[NormalizeTokens]] = {
    SENTENCE_EMBEDDING: Normalize,
    TOKEN_EMBEDDINGS: NormalizeTokens,
}
_LEGACY_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


def load_module(name: str, folder: Path) -> Module:
    """The module of class ``name``, such as "Pooling", that is stored in ``folder``.

    Raises UnsupportedModelError for an unknown class, mode or activation, and MissingFileError or DamagedFileError for
    its files.
    """
    if name not in LOADERS:
        raise UnsupportedModelError(f"module {name!r} ({folder}); this version runs {', '.join(sorted(LOADERS))}")
    with reading(folder):
        return LOADERS[name](folder)


def pooling_from_config(config: dict[str, Any]) -> Pooling:
    """A Pooling from its configuration, as any version of sentence-transformers writes it; the default is the mean."""
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for key, mode in _LEGACY_MODES.items() if config.get(key)] or ["mean"]
    modes = tuple(modes) if isinstance(modes, list) else (modes,)
    unknown = [mode for mode in modes if mode not in list(POOLING)]
    if unknown or not modes:
        raise UnsupportedModelError(
            f"pooling mode {unknown[0] if unknown else modes!r}; expected one of {', '.join(POOLING)}"
        )
    return Pooling(modes, bool(config.get("include_prompt", True)))


def _pooling(folder: Path) -> Pooling:
    return pooling_from_config(read_json(folder / "config.json"))


def _dense(folder: Path) -> Dense:
    config, weights = read_json(folder / "config.json"), _weights(folder)
    weight = _tensor(weights, "linear.weight", folder)
    expected = (config.get("out_features", len(weight)), config.get("in_features", weight.shape[-1]))
    if weight.shape != expected:
        raise DamagedFileError(f"{folder}: linear.weight has shape {weight.shape}, config.json says {expected}")
    input_name = config.get("module_input_name") or "sentence_embedding"
    if not isinstance(input_name, str):
        raise wrong("module_input_name", input_name, "a text")
    activation = _activation(config, weights, folder)
    if activation in SOFTMAX_FAMILY and input_name == "token_embeddings":
        raise UnsupportedModelError(
            f"{folder}: Dense with {config['activation_function']} over tokens, with which a text's vector depends on "
            "the other texts of its batch; expected another activation"
        )
    return Dense(
        weight=weight,
        bias=_tensor(weights, "linear.bias", folder, expected[:1]) if config.get("bias", True) else None,
        activation=activation,
        residual=_tensor(weights, "residual.weight", folder, expected) if config.get("use_residual") else None,
        input_name=input_name,
        output_name=config.get("module_output_name") or input_name,
    )


def _activation(config: dict[str, Any], weights: dict[str, NDArray[Any]], folder: Path) -> Activation:
    name = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    if name == "torch.nn.modules.activation.PReLU":
        return PReLU(_tensor(weights, "activation_function.weight", folder))
    return find_activation(name)


def _layer_norm(folder: Path) -> LayerNorm:
    weights = _weights(folder)
    weight = _tensor(weights, "norm.weight", folder)
    return LayerNorm(weight, _tensor(weights, "norm.bias", folder, weight.shape))


def _normalize(folder: Path) -> Normalize | NormalizeTokens:
    config = read_optional_json(folder / "config.json")
    name = config.get("module_input_name") or SENTENCE_EMBEDDING
    output = config.get("module_output_name") or name
    if name != output or name not in _NORMALIZES:
        raise UnsupportedModelError(
            f"{folder}: Normalize of {name!r} into {output!r}; expected {' or '.join(_NORMALIZES)}, into itself"
        )
    return _NORMALIZES[name]()


def _multi_vector_mask(folder: Path) -> MultiVectorMask:
    config = read_optional_json(folder / "config.json")
    words, tasks = _texts(config, "skiplist_words", ()), _texts(config, "skiplist_tasks", (DOCUMENT,))
    kept = config.get("keep_only_token_ids")
    if kept is not None and not (isinstance(kept, list) and all(type(each) is int for each in kept)):
        raise wrong("keep_only_token_ids", kept, "a list of token ids")
    return MultiVectorMask(words, tasks, None if kept is None else tuple(kept))


def _texts(config: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    found = config.get(name)
    if found is None:
        return default
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise wrong(name, found, "a list of texts")
    return tuple(found)


def _cnn(folder: Path) -> CNN:
    config, weights = read_json(folder / "cnn_config.json"), _weights(folder)
    sizes = config.get("kernel_sizes", [1, 3, 5])
    even = [size for size in sizes if size % 2 == 0]
    if even:
        raise UnsupportedModelError(f"{folder}: CNN with a kernel of {even[0]} tokens; expected odd sizes")
    stored = sum(name.endswith(".weight") for name in weights)
    if stored != len(sizes):
        raise DamagedFileError(
            f"{folder}: cnn_config.json names {len(sizes)} kernels, model.safetensors holds {stored}"
        )
    kernels = [_tensor(weights, f"convs.{place}.weight", folder) for place in range(len(sizes))]
    biases = [_tensor(weights, f"convs.{place}.bias", folder) for place in range(len(sizes))]
    return CNN(tuple(np.ascontiguousarray(kernel.transpose(2, 1, 0)) for kernel in kernels), tuple(biases))


def _splade_pooling(folder: Path) -> SpladePooling:
    config = read_optional_json(folder / "config.json")
    strategy, activation = config.get("pooling_strategy", "max"), config.get("activation_function", "relu")
    if strategy not in STRATEGIES or activation not in LOGARITHMS:
        raise UnsupportedModelError(
            f"{folder}: SpladePooling with {strategy!r} and {activation!r}; expected {' or '.join(STRATEGIES)}, and "
            f"{' or '.join(LOGARITHMS)}"
        )
    return SpladePooling(strategy, LOGARITHMS[activation])


def _sparse_auto_encoder(folder: Path) -> SparseAutoEncoder:
    config, weights = read_json(folder / "config.json"), _weights(folder)
    name = "encoder.weight" if "encoder.weight" in weights else "decoder.linear.weight"  # tied: only one is stored
    weight = _tensor(weights, name, folder, (config["hidden_dim"], config["input_dim"]))
    k = whole_number(config, "k")
    if k is None:
        raise wrong("k", None, "a whole number of at least 1")
    return SparseAutoEncoder(
        weight=weight,
        pre_bias=_tensor(weights, "pre_bias", folder, weight.shape[1:]),
        latent_bias=_tensor(weights, "latent_bias", folder, weight.shape[:1]),
        k=k,
        standardize=bool(config.get("normalize")),
    )


def _word_weights(folder: Path) -> WordWeights:
    return WordWeights(word_weights(read_json(folder / "config.json")))


def word_weights(config: Mapping[str, Any]) -> Floats:
    """The weight (words,) float32 of each word in ``config["vocab"]``; else that of its lower-case form."""
    known, other = config.get("word_weights") or {}, config.get("unknown_word_weight", 1)
    weights = [known[word] if word in known else known.get(word.lower(), other) for word in config["vocab"]]
    return np.array(weights, dtype=np.float32)


def _hierarchical_token_pooling(folder: Path) -> HierarchicalTokenPooling:
    """Configurations that are older than ``normalize_embeddings`` mean False by its absence."""
    config = {"normalize_embeddings": False, **read_optional_json(folder / "config.json")}
    known = ("pool_factor", "num_protected_tokens", "normalize_embeddings", "tasks")
    try:
        return HierarchicalTokenPooling(**{name: config[name] for name in known if name in config})
    except OptionError as error:
        raise DamagedFileError(f"{folder / 'config.json'}: {error}") from error


LOADERS: dict[str, Callable[[Path], Module]] = {
    "Pooling": _pooling,
    "Dense": _dense,
    "LayerNorm": _layer_norm,
    "Normalize": _normalize,
    "MultiVectorMask": _multi_vector_mask,
    "Dropout": lambda _folder: Dropout(),
    "CNN": _cnn,
    "LSTM": lambda _folder: InGraph("LSTM"),
    "WeightedLayerPooling": lambda _folder: InGraph("WeightedLayerPooling", needs_all_layers=True),
    "WordWeights": _word_weights,
    "SpladePooling": _splade_pooling,
    "HierarchicalTokenPooling": _hierarchical_token_pooling,
    "SparseAutoEncoder": _sparse_auto_encoder,
    "LogitScore": lambda _folder: InGraph("LogitScore", SCORES),
}


def _weights(folder: Path) -> dict[str, NDArray[Any]]:
    if not is_there(folder / "model.safetensors") and (folder / "pytorch_model.bin").exists():
        raise MissingFileError(
            f"{folder} has its weights in pytorch_model.bin, a pickle file, which edge-st never opens; "
            f"export the model {EXPORT}"
        )
    return read_safetensors(folder / "model.safetensors")


def _tensor(weights: dict[str, NDArray[Any]], name: str, folder: Path, shape: tuple[Any, ...] | None = None) -> Floats:
    if name not in weights:
        raise DamagedFileError(f"{folder / 'model.safetensors'} has no tensor {name!r}; it has {', '.join(weights)}")
    if shape is not None and weights[name].shape != shape:
        raise DamagedFileError(f"{folder}: {name} has shape {weights[name].shape}; expected {shape}")
    return np.ascontiguousarray(weights[name], dtype=np.float32)
