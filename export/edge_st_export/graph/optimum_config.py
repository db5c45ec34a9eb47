"""How optimum is told what a graph's inputs and outputs are."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from edge_st_runtime.engines.signature import FEEDS

from ..stack import version_of
from .leading_modules import LeadingModules

_TASK, _CLASSIFICATION = "feature-extraction", "text-classification"
_AXES = {0: "batch_size", 1: "sequence_length"}
#: outputs with one row a text, not one a token
_OF_TEXTS = ("sentence_embedding", "scores", "logits")


def described_for_onnx(leading: LeadingModules, model: Any) -> Any | None:
    """optimum-onnx's own description of the architecture; None where it is not installed or has none that fits."""
    return None if version_of("optimum-onnx") is None else _described(leading, model, "onnx")


def described_for_openvino(leading: LeadingModules, model: Any) -> Any:
    """optimum-intel's own description of the architecture, or that of a plain encoder where it has none that fits."""
    described = _described(leading, model, "openvino")
    if described is not None:
        return described
    return _plain_encoder()(leading.config, leading.input_names, leading.output)


def _described(leading: LeadingModules, model: Any, exporter: str) -> Any | None:
    """None fits where more than the transformer is in the graph, and where optimum does not know the architecture.

    Nor does a description with inputs that the tokenizer does not give (T5's encoder on its own has no
    decoder_input_ids), or one that lacks token types that the model has (RoBERTa's).
    """
    from optimum.exporters.tasks import TasksManager

    model_type, task = leading.config.model_type, _CLASSIFICATION if leading.classifies else _TASK
    known = TasksManager._SUPPORTED_MODEL_TYPE.get(model_type, {})  # optimum's own code reads it, too
    if not leading.transformer_only or task not in known.get(exporter, {}):
        return None
    constructor = TasksManager.get_exporter_config_constructor(exporter, model, task=task, library_name="transformers")
    config = constructor(leading.config)
    fits = leading.needed_names <= set(config.inputs) <= FEEDS.keys() & set(leading.input_names)
    return config if fits else None


@cache
def _plain_encoder() -> Any:
    """The class of descriptions with token ids in and one feature out, for any batch size and length."""
    from optimum.utils.normalized_config import NormalizedTextConfig

    class EncoderConfig(_text_encoder()):  # type: ignore[misc]  # optimum has no types
        NORMALIZED_CONFIG_CLASS = NormalizedTextConfig

        def __init__(self, config: Any, input_names: Sequence[str], output: str) -> None:
            super().__init__(config, task=_TASK)
            self._input_names = tuple(input_names)
            self._output = output

        @property
        def inputs(self) -> dict[str, dict[int, str]]:
            return dict.fromkeys(self._input_names, _AXES)

        @property
        def outputs(self) -> dict[str, dict[int, str]]:
            return {self._output: {0: "batch_size"} if self._output in _OF_TEXTS else _AXES}

    return EncoderConfig


def _text_encoder() -> Any:
    """optimum-intel's class for encoders: since version 2 its own, before that optimum-onnx's."""
    try:
        from optimum.exporters.openvino.config import TextEncoderOpenVINOConfig
    except ImportError:
        from optimum.exporters.onnx.config import TextEncoderOnnxConfig

        return TextEncoderOnnxConfig
    return TextEncoderOpenVINOConfig
