"""How optimum is told what a graph's inputs and outputs are."""

from collections.abc import Sequence
from typing import Any

from optimum.exporters.onnx.config import TextEncoderOnnxConfig
from optimum.utils.normalized_config import NormalizedTextConfig

from edge_st_runtime.engines.signature import FEEDS

from .leading_modules import LeadingModules

_TASK, _CLASSIFICATION = "feature-extraction", "text-classification"
_AXES = {0: "batch_size", 1: "sequence_length"}
#: outputs with one row a text, not one a token
_OF_TEXTS = ("sentence_embedding", "scores", "logits")


def graph_config(leading: LeadingModules, model: Any, exporter: str) -> Any:
    """optimum's own description of the architecture, or that of a plain encoder where optimum has none that fits.

    None fits where optimum does not know the architecture, where more than the transformer is in the graph, where its
    description has inputs that this class does not take (T5's encoder on its own has no decoder_input_ids), and where
    it lacks token types that the model has (RoBERTa's).
    """
    from optimum.exporters.tasks import TasksManager

    model_type, task = leading.config.model_type, _CLASSIFICATION if leading.classifies else _TASK
    known = TasksManager._SUPPORTED_MODEL_TYPE.get(model_type, {})  # optimum's own code reads it, too
    if leading.transformer_only and task in known.get(exporter, {}):
        constructor = TasksManager.get_exporter_config_constructor(
            exporter, model, task=task, library_name="transformers"
        )
        config = constructor(leading.config)
        if leading.needed_names <= set(config.inputs) <= leading.accepted.intersection(FEEDS):
            return config
    return EncoderConfig(leading.config, leading.input_names, leading.output)


class EncoderConfig(TextEncoderOnnxConfig):  # type: ignore[misc]  # optimum has no types
    """Token ids in, one feature out, for any batch size and length."""

    NORMALIZED_CONFIG_CLASS = NormalizedTextConfig

    def __init__(self, config: Any, input_names: Sequence[str], output: str) -> None:
        """``input_names`` are the inputs of the graph, in order; ``output`` names the feature."""
        super().__init__(config, task="feature-extraction")
        self._input_names = tuple(input_names)
        self._output = output

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """Every input by name, with its dynamic axes."""
        return dict.fromkeys(self._input_names, _AXES)

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """The one output: (batch, tokens, hidden) for tokens, (batch, dim) for texts."""
        return {self._output: {0: "batch_size"} if self._output in _OF_TEXTS else _AXES}
