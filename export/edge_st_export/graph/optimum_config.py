"""How optimum is told to export what it has no description of."""

from collections.abc import Sequence
from typing import Any

from optimum.exporters.onnx.config import TextEncoderOnnxConfig
from optimum.utils.normalized_config import NormalizedTextConfig

_AXES = {0: "batch_size", 1: "sequence_length"}
_OF_TEXTS = ("sentence_embedding", "scores", "logits")


class EncoderConfig(TextEncoderOnnxConfig):  # type: ignore[misc]  # optimum has no types
    """Token ids in, one feature out; batch and length are free."""

    NORMALIZED_CONFIG_CLASS = NormalizedTextConfig

    def __init__(self, config: Any, input_names: Sequence[str], output: str) -> None:
        """``input_names`` are the inputs of the graph, in order; ``output`` names the feature."""
        super().__init__(config, task="feature-extraction")
        self._input_names = tuple(input_names)
        self._output = output

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """Every input by name, with its free axes."""
        return dict.fromkeys(self._input_names, _AXES)

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """The one output: (batch, tokens, hidden) if it belongs to tokens, else (batch, dim)."""
        return {self._output: {0: "batch_size"} if self._output in _OF_TEXTS else _AXES}
