"""Read a transformer's architecture from config.json; any setting that the builder does not support is refused."""

from collections.abc import Mapping
from typing import Any

from edge_st_runtime.engines.signature import SCORES, TOKEN_EMBEDDINGS
from edge_st_runtime.files.reading import read_json, read_optional_json, reading
from edge_st_runtime.model.route import CLIP, TRANSFORMER, Route

from .architecture import Architecture
from .families import FAMILIES
from .settings import Settings, refusal

#: settings → the only values that the builder supports, in any family
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "pruned_heads": (None, {}),
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "quantization_config": (None, {}),
}
#: the task of a Transformer module → its output; the output → the name of its method's output
_OUTPUTS = {None: TOKEN_EMBEDDINGS, "feature-extraction": TOKEN_EMBEDDINGS, "sequence-classification": SCORES}
_METHOD_OUTPUTS = {TOKEN_EMBEDDINGS: "last_hidden_state", SCORES: "logits"}


def read_architecture(route: Route) -> Architecture:
    """Read the architecture of the transformer of ``route``; no weights are read.

    Raises UnsupportedModelError for a module, an architecture or a setting that the builder does not support,
    DamagedFileError for a config.json without the number of layers or heads.
    """
    _check_module(route)
    path = route.path / "config.json"
    config = read_json(path)
    kind = str(config.get("model_type"))
    if kind not in FAMILIES:
        raise refusal(path, f"model_type is {kind!r}", ", ".join(FAMILIES))
    for key, allowed in _ONLY.items():
        if config.get(key) not in allowed:
            raise refusal(path, f"{key} is {config[key]!r}", f"none or {allowed[-1]!r}")
    family, classifies = FAMILIES[kind], route.gives_scores or route.output == SCORES
    if config.get("auto_map") and not family.brings_code:
        raise refusal(path, f"auto_map is {config['auto_map']!r}", "transformers' own code of this model_type")
    names = config.get("architectures") or [""]
    if classifies and not str(names[0]).endswith("ForSequenceClassification"):
        raise refusal(path, f"architectures is {names}", "…ForSequenceClassification for a cross-encoder")
    inputs = read_optional_json(path.with_name("tokenizer_config.json")).get("model_input_names") or ()
    with reading(path):
        return family.read(Settings(path, config, classifies, tuple(inputs), route.max_seq_length(None)))


def _check_module(route: Route) -> None:
    """Raise UnsupportedModelError unless the graph is a transformer with its usual output."""
    path, said = route.path / route.transformer_file, route.transformer
    if route.kind != TRANSFORMER:
        what = "CLIP" if route.kind == CLIP else route.kind
        raise refusal(route.path, f"the first module is {what}", TRANSFORMER)
    if route.modules_exported:
        inside = type(route.modules[route.modules_exported - 1]).__name__
        raise refusal(route.path, f"the module {inside} is part of the graph", "a transformer only")
    task = said.get("transformer_task")
    if task not in _OUTPUTS:
        raise refusal(path, f"transformer_task is {task!r}", "feature-extraction, sequence-classification")
    with reading(path):
        for modality, method in (said.get("modality_config") or {}).items():
            found = (modality, method["method"], method["method_output_name"])
            if found != ("text", "forward", _METHOD_OUTPUTS[_OUTPUTS[task]]):
                raise refusal(path, f"modality_config is {found}", "text, forward and the usual output")
    for key in ("config_args", "config_kwargs"):
        changed = sorted(set(said.get(key) or {}) - {"trust_remote_code"})
        if changed:
            raise refusal(path, f"{key} changes {', '.join(changed)}", "the settings of config.json")
