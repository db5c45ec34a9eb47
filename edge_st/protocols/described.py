"""A model as listings show it."""

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ..models.classes import Model
from ..models.encoder import Encoder
from ..models.facts import architecture_of, size_of

#: `info` of models, which takes a while, beside what it depends on
_INFO: "WeakKeyDictionary[Model, tuple[Any, dict[str, Any]]]" = WeakKeyDictionary()


class Described(NamedTuple):
    """A model that is served under ``name``, and its ``aliases``; ``model`` is None while it is not loaded.

    ``class_name`` is the name of its class, such as "SentenceTransformer". ``created`` is the time of its files, in
    seconds since 1970.
    """

    name: str
    aliases: tuple[str, ...] = ()
    created: int = 0
    model: Model | None = None
    class_name: str = ""


def facts_of(described: Described) -> dict[str, Any]:
    """What is known of a model, by names that all listings share; None for what only a loaded model tells.

    The first call for a model takes a while: it computes the fingerprint, without a record from all weights.
    """
    model = described.model
    info = {} if model is None else _info(model)
    return {
        "class": described.class_name,
        "loaded": model is not None,
        "dimension": model.get_embedding_dimension() if isinstance(model, Encoder) else None,
        "labels": info.get("num_labels"),
        "max_input_length": info.get("max_seq_length"),
        "engine": info.get("engine"),
        "dtype": info.get("dtype"),
        "fingerprint": info.get("fingerprint"),
        "prompts": info.get("prompts"),
        "aliases": list(described.aliases),
    }


def _info(model: Model) -> dict[str, Any]:
    changeable, known = model.changeable(), _INFO.get(model)
    if known is None or known[0] != changeable:
        known = _INFO[model] = changeable, model.info()
    return known[1]


def details_of(described: Described) -> dict[str, Any]:
    """The field ``details`` of Ollama's listings; its empty strings stand for what is not known."""
    model = described.model
    family = "" if model is None else architecture_of(model)
    facts = facts_of(described)
    return {
        "parent_model": "",
        "format": facts["engine"] or "",
        "family": family,
        "families": [family] if family else [],
        "parameter_size": "",
        "quantization_level": facts["dtype"] or "",
    }


def bytes_of(described: Described) -> int:
    """The bytes of its weights; 0 while it is not loaded."""
    return 0 if described.model is None else size_of(described.model)
