"""What a user may ask to make of a model, and where models of each class are looked for by a short name."""

from collections.abc import Mapping

from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.classes import (
    CROSS_ENCODER,
    MULTI_VECTOR_ENCODER,
    SENTENCE_TRANSFORMER,
    SPARSE_ENCODER,
    TASKS,
)

_TYPES = {task: model_type for model_type, task in TASKS.items()}
_ORGANIZATIONS: Mapping[str, str] = {
    CROSS_ENCODER: "cross-encoder",
    SENTENCE_TRANSFORMER: "sentence-transformers",
    SPARSE_ENCODER: "sparse-encoder",
    MULTI_VECTOR_ENCODER: "sentence-transformers",  # which itself looks nowhere for one
}


def wanted_type(task: str | None) -> str | None:
    """The name of the class for ``task``, None for None; raises OptionError for an unknown task."""
    if task not in (None, *_TYPES):
        raise OptionError(
            f"task is {task!r}; expected one of {', '.join(_TYPES)}, or None to take the model as what it says it is"
        )
    return _TYPES[task] if task else None


def organization(wanted: str | None) -> str:
    """The organization on the Hub of models of the class ``wanted`` that are called by their name alone."""
    return _ORGANIZATIONS[wanted or SENTENCE_TRANSFORMER]
