"""Read a transformer's architecture from config.json; any setting that the builder does not support is refused."""

from collections.abc import Mapping
from typing import Any

from edge_st_runtime.files.reading import read_json, read_optional_json, reading
from edge_st_runtime.model.route import CLIP, TRANSFORMER, Route
from edge_st_runtime.modules.sparse import SpladePooling
from edge_st_runtime.modules.specs import InGraph, Module

from .architecture import Architecture
from .families import ANSWERS, CLASSES, FAMILIES, FEATURES, WORDS
from .heads import Answers
from .ports import IDS, MASK
from .settings import Settings, refusal
from .words import Splade, words_at_once

#: settings → the only values that the builder supports, in any family
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "pruned_heads": (None, {}),
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "quantization_config": (None, {}),
}
_OF_NO_MODEL = ("TokenizersBackend", "PreTrainedTokenizerFast")
#: the task of a Transformer module → the modules after it that are in its graph
_INSIDE: Mapping[str, list[str]] = {FEATURES: [], CLASSES: [], WORDS: ["SpladePooling"], ANSWERS: ["LogitScore"]}


def read_architecture(
    route: Route, *, config: Mapping[str, Any] | None = None, answers: Answers | None = None
) -> Architecture:
    """Read the architecture of the transformer of ``route``; no weights are read.

    ``config`` is used instead of its config.json. ``answers`` are those of a LogitScore after it.

    Raises UnsupportedModelError for a module, an architecture or a setting that the builder does not support,
    DamagedFileError for a config.json without the number of layers or heads.
    """
    task = _checked_task(route)
    path = route.path / "config.json"
    config = read_json(path) if config is None else config
    kind = str(config.get("model_type"))
    if kind not in FAMILIES:
        raise refusal(path, f"model_type is {kind!r}", ", ".join(FAMILIES))
    for key, allowed in _ONLY.items():
        if config.get(key) not in allowed:
            raise refusal(path, f"{key} is {config[key]!r}", f"none or {allowed[-1]!r}")
    family = FAMILIES[kind]
    if task not in family.tasks:
        raise refusal(path, f"the task {task} of a {kind}", f"{', '.join(family.tasks)} of it")
    if config.get("auto_map") and not family.brings_code:
        raise refusal(path, f"auto_map is {config['auto_map']!r}", "transformers' own code of this model_type")
    names = config.get("architectures") or [""]
    if task == CLASSES and not str(names[0]).endswith("ForSequenceClassification"):
        raise refusal(path, f"architectures is {names}", "…ForSequenceClassification for a cross-encoder")
    with reading(path):
        longest, splade = route.max_seq_length(None), _splade(route, config)
        inputs = _tokenizer_inputs(route)
        return family.read(Settings(path, config, task == CLASSES, inputs, longest, splade, answers))


def _tokenizer_inputs(route: Route) -> tuple[str, ...]:
    """What the tokenizer says that it gives; in transformers 5 one of no model's own class gives no token types."""
    said = read_optional_json(route.path / "tokenizer_config.json")
    names = said.get("model_input_names")
    if names is None and said.get("tokenizer_class") in _OF_NO_MODEL:
        return IDS, MASK
    return tuple(map(str, names or ()))


def _splade(route: Route, config: Mapping[str, Any]) -> Splade | None:
    """How a SpladePooling after the transformer pools."""
    found = next((module for module in route.modules if isinstance(module, SpladePooling)), None)
    if found is None:
        return None
    return Splade(found.strategy == "max", found.logarithms, words_at_once(config))


def _checked_task(route: Route) -> str:
    """The task of the transformer; raises UnsupportedModelError unless it has its usual output and modules."""
    path, said = route.path / route.transformer_file, route.transformer
    if route.kind != TRANSFORMER:
        what = "CLIP" if route.kind == CLIP else route.kind
        raise refusal(route.path, f"the first module is {what}", TRANSFORMER)
    task = said.get("transformer_task") or FEATURES
    if task not in _INSIDE:
        raise refusal(path, f"transformer_task is {task!r}", ", ".join(_INSIDE))
    inside = [_name(module) for module in route.modules[: route.modules_exported]]
    if inside != _INSIDE[task]:
        names, wanted = ", ".join(inside) or "none", ", ".join(_INSIDE[task]) or "none"
        raise refusal(route.path, f"the modules in the graph of a {task} model are: {names}", wanted)
    usual = ("forward", "last_hidden_state" if task == FEATURES else "logits")
    with reading(path):
        for modality, method in (said.get("modality_config") or {}).items():
            found = (method["method"], method["method_output_name"])
            if modality not in ("text", "message") or found != usual:
                raise refusal(path, f"modality_config is {(modality, *found)}", f"text or message, {', '.join(usual)}")
    for key in ("config_args", "config_kwargs"):
        changed = sorted(set(said.get(key) or {}) - {"trust_remote_code"})
        if changed:
            raise refusal(path, f"{key} changes {', '.join(changed)}", "the settings of config.json")
    return str(task)


def _name(module: Module) -> str:
    return module.kind if isinstance(module, InGraph) else type(module).__name__
