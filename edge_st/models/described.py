"""What a loaded model says of itself: what it takes, where it runs, and which model it is."""

from functools import cached_property
from typing import Any, ClassVar

from .inputs import is_singular_input
from .model_card import ModelCardData
from .runner import Runner


class Described:
    """The base of the model classes. Source: sentence-transformers' BaseModel."""

    _saved_settings: ClassVar[tuple[str, ...]] = ("prompts", "default_prompt_name")
    _runner: Runner
    prompts: dict[str, str]
    default_prompt_name: str | None

    def is_singular_input(self, inputs: Any) -> bool:
        """Whether ``inputs`` is a single input and not a batch of them."""
        return is_singular_input(inputs)

    @property
    def modalities(self) -> list[str]:
        """What an input may be: ["text"]."""
        return ["text"]

    def supports(self, modality: str | tuple[str, ...]) -> bool:
        """Whether ``modality`` is one of `modalities`."""
        return modality in self.modalities

    @property
    def tasks(self) -> list[str | None]:
        """What ``task`` may be: every task that a Router has a route for, and None where texts need no task."""
        return self._runner.folder.tasks

    def get_model_kwargs(self) -> list[str]:
        """The further arguments of ``encode`` or ``predict`` that this model uses: "task" where it has a Router."""
        return [] if self.tasks == [None] else ["task"]

    def get_backend(self) -> str:
        """The engine that runs the model: "onnx", "openvino", or "numpy" for static models."""
        return self._runner.main_choice.engine

    @property
    def device(self) -> str:
        """Where the model runs."""
        return self._runner.device

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over what decides a vector: weights, tokenizer, modules, prompts, limit, precision."""
        from .identity import fingerprint_of

        return fingerprint_of(self._runner, self._weights_digest, self._settings_now())

    @cached_property
    def _weights_digest(self) -> str:
        from .identity import digest_of

        return digest_of(self._runner.model)

    def info(self) -> dict[str, Any]:
        """What was loaded and how it runs, as values that JSON can hold."""
        runner = self._runner
        choice = runner.main_choice
        return {
            "path": str(runner.folder.path),
            **runner.main_pipeline.backend.info(),
            "graph": choice.file,
            "dtype": choice.dtype,
            "reason": choice.reason,
            "max_seq_length": runner.main_limit,
            "prompts": self.prompts,
            "fingerprint": self.fingerprint,
            **({"tasks": self.tasks} if len(self.tasks) > 1 else {}),
        }

    @cached_property
    def model_card_data(self) -> ModelCardData:
        """The model's name, and the metrics that evaluators found."""
        return ModelCardData(model_name=self._runner.folder.path.name)

    def _settings_now(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._saved_settings}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "model_card_data"}

    def __repr__(self) -> str:
        choice = self._runner.main_choice
        return f"{type(self).__name__}({str(self._runner.folder.path)!r}, {choice.engine}, {choice.dtype})"
