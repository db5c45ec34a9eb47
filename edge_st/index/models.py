"""Which model an index belongs to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from edge_st_runtime.errors import OptionError
from edge_st_runtime.store.dense.index import VectorIndex

from ..models.sentence_transformer import SentenceTransformer

Model: TypeAlias = SentenceTransformer | str | Path


def opened_model(model: Model | None) -> SentenceTransformer | None:
    """``model``, opened where it is a name; raises OptionError for anything else, and what opening raises."""
    if model is None or isinstance(model, SentenceTransformer):
        return model
    if not isinstance(model, str | Path):
        raise OptionError(
            f"model is a {type(model).__name__}; expected a SentenceTransformer, or a folder or name of one"
        )
    return SentenceTransformer(model)


def identity_of(model: SentenceTransformer) -> dict[str, str]:
    """What an index keeps of its model: its name, to tell people, and its fingerprint, to compare."""
    return {"name": str(model.model_card_data.model_name), "fingerprint": model.fingerprint}


def check_model(model: SentenceTransformer, settings: Mapping[str, Any], folder: Path) -> None:
    """Raise OptionError unless ``model``, or one that makes the same embeddings, made those in ``folder``."""
    recorded, given = settings["model"], identity_of(model)
    if recorded is None:
        raise OptionError(f"{folder} was built from embeddings without a model; open it without one")
    if recorded["fingerprint"] != given["fingerprint"]:
        raise OptionError(
            f"{folder} was built with {recorded['name']} (fingerprint {recorded['fingerprint']}), the model "
            f"given is {given['name']} ({given['fingerprint']}): their embeddings do not compare. Open it with the "
            "first, or without a model and move it to the other with migrate(model)"
        )


def no_model(store: VectorIndex, what: str) -> OptionError:
    """The error for ``what`` needs a model, where the index has none."""
    recorded = store.settings["model"]
    if recorded is None:
        return OptionError(f"the index was built from embeddings alone, without a model; give embeddings, not {what}")
    opening = f"Index.open({str(store.folder)!r}, model=…)"
    return OptionError(
        f"the index was opened without its model {recorded['name']} (fingerprint {recorded['fingerprint']}), which "
        f"{what} needs: {opening} with that model, or its folder or name"
    )
