"""Read an encoder's architecture from config.json; any setting that the builder does not support is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_st_runtime.engines.signature import SCORES, TOKEN_EMBEDDINGS
from edge_st_runtime.errors import EXPORT, UnsupportedModelError
from edge_st_runtime.files.reading import read_json, read_optional_json, reading
from edge_st_runtime.model.route import CLIP, TRANSFORMER, Route

from .activations import ACTIVATIONS
from .families import FAMILIES, Family

_DEFAULT_PADDING = 1
#: settings → the only values that the builder supports
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "position_embedding_type": (None, "absolute"),
    "pruned_heads": (None, {}),
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "quantization_config": (None, {}),
    "auto_map": (None, {}),
}
#: the task of a Transformer module → its output; the output → the name of its method's output
_OUTPUTS = {None: TOKEN_EMBEDDINGS, "feature-extraction": TOKEN_EMBEDDINGS, "sequence-classification": SCORES}
_METHOD_OUTPUTS = {TOKEN_EMBEDDINGS: "last_hidden_state", SCORES: "logits"}


@dataclass(frozen=True)
class Architecture:
    """An encoder of ``family``; ``classifies`` says whether its classification head is in the graph.

    ``padding`` is the id of the padding token, from which some families count positions.
    """

    family: Family
    layers: int
    heads: int
    activation: str
    epsilon: float
    padding: int
    classifies: bool


def read_architecture(route: Route) -> Architecture:
    """Read the architecture of the encoder of ``route``; no weights are read.

    Raises UnsupportedModelError for a module, an architecture or a setting that the builder does not support,
    DamagedFileError for a config.json without the number of layers or heads.
    """
    _check_module(route)
    path = route.path / "config.json"
    config = read_json(path)
    kind = str(config.get("model_type"))
    if kind not in FAMILIES:
        raise _refusal(path, f"model_type is {kind!r}", ", ".join(FAMILIES))
    for key, allowed in _ONLY.items():
        if config.get(key) not in allowed:
            raise _refusal(path, f"{key} is {config[key]!r}", f"none or {allowed[-1]!r}")
    family = FAMILIES[kind]
    with reading(path):
        return _read(path, config, family, classifies=route.gives_scores or route.output == SCORES)


def _read(path: Path, config: Mapping[str, Any], family: Family, *, classifies: bool) -> Architecture:
    activation = config.get(family.settings.activation, "gelu")
    if activation not in ACTIVATIONS:
        raise _refusal(path, f"{family.settings.activation} is {activation!r}", ", ".join(ACTIVATIONS))
    inputs = read_optional_json(path.with_name("tokenizer_config.json")).get("model_input_names") or ()
    types = config.get("type_vocab_size", 1)
    if family.first_type and types > 1 and "token_type_ids" in inputs:
        family = replace(family, token_types=True)
    names = config.get("architectures") or [""]
    if classifies and not str(names[0]).endswith("ForSequenceClassification"):
        raise _refusal(path, f"architectures is {names}", "…ForSequenceClassification for a cross-encoder")
    padding = config.get("pad_token_id")
    return Architecture(
        family,
        int(config[family.settings.layers]),
        int(config[family.settings.heads]),
        activation,
        float(config.get(family.settings.epsilon or "", 1e-12)),
        _DEFAULT_PADDING if padding is None or family.relative else int(padding),
        classifies,
    )


def _check_module(route: Route) -> None:
    """Raise UnsupportedModelError unless the graph is a transformer with its usual output."""
    path, said = route.path / route.transformer_file, route.transformer
    if route.kind != TRANSFORMER:
        what = "CLIP" if route.kind == CLIP else route.kind
        raise _refusal(route.path, f"the first module is {what}", TRANSFORMER)
    if route.modules_exported:
        inside = type(route.modules[route.modules_exported - 1]).__name__
        raise _refusal(route.path, f"the module {inside} is part of the graph", "a transformer only")
    task = said.get("transformer_task")
    if task not in _OUTPUTS:
        raise _refusal(path, f"transformer_task is {task!r}", "feature-extraction, sequence-classification")
    with reading(path):
        for modality, method in (said.get("modality_config") or {}).items():
            found = (modality, method["method"], method["method_output_name"])
            if found != ("text", "forward", _METHOD_OUTPUTS[_OUTPUTS[task]]):
                raise _refusal(path, f"modality_config is {found}", "text, forward and the usual output")
    for key in ("config_args", "config_kwargs"):
        changed = sorted(set(said.get(key) or {}) - {"trust_remote_code"})
        if changed:
            raise _refusal(path, f"{key} changes {', '.join(changed)}", "the settings of config.json")


def _refusal(path: Path, found: str, supported: str) -> UnsupportedModelError:
    return UnsupportedModelError(f"{path}: {found}; edge-st convert supports {supported}. Export the model {EXPORT}")
