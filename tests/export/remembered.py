"""An original that is asked the same several times, and computes the answer once."""

from typing import Any

_METHODS = ("encode", "encode_query", "encode_document", "predict", "rank")


class Remembered:
    """A model of sentence-transformers, which keeps what it gave for the same call."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._given: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        if name not in _METHODS:
            return value

        def call(*arguments: Any, show_progress_bar: bool = False, **options: Any) -> Any:
            key = repr((name, arguments, options))
            if key not in self._given:
                self._given[key] = value(*arguments, show_progress_bar=show_progress_bar, **options)
            return self._given[key]

        return call
