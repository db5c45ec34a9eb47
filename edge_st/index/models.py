"""The models of an index: opened, compared with the fingerprint that the index records, and looked up by it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from edge_st_runtime.checks import described
from edge_st_runtime.errors import OptionError
from edge_st_runtime.store.dense.snapshot import Snapshot

from ..models.sentence_transformer import SentenceTransformer

Model: TypeAlias = SentenceTransformer | str | Path


def opened_model(model: Model | None) -> SentenceTransformer | None:
    """``model``, opened where it is a folder or a name.

    Raises OptionError for any other type, and what opening a model raises.
    """
    if model is None or isinstance(model, SentenceTransformer):
        return model
    if not isinstance(model, str | Path):
        raise OptionError(f"model is {described(model)}; expected a SentenceTransformer, or a folder or name of one")
    return SentenceTransformer(model)


def identity_of(model: SentenceTransformer) -> dict[str, str]:
    """What an index records of its model: the name, for messages, and the fingerprint, to compare."""
    return {"name": str(model.model_card_data.model_name), "fingerprint": model.fingerprint}


def check_model(model: SentenceTransformer, settings: Mapping[str, Any], folder: Path) -> None:
    """Raise OptionError unless the index in ``folder`` records the fingerprint of ``model``."""
    recorded, given = settings.get("model"), identity_of(model)
    if recorded is None:
        raise OptionError(f"{folder} was built from embeddings without a model; open it without one")
    if recorded["fingerprint"] != given["fingerprint"]:
        raise OptionError(
            f"{folder} was built with {recorded['name']} (fingerprint {recorded['fingerprint']}), the model "
            f"given is {given['name']} ({given['fingerprint']}): their embeddings do not compare. Open it with the "
            "first, or without a model and move it to the other with migrate(model)"
        )


class Models:
    """The models that were given for the index in a folder, by fingerprint.

    At most one, except while the index moves to another model: then both are here, so that every search finds the
    model of its snapshot.
    """

    def __init__(self, folder: Path, model: SentenceTransformer | None, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        self._by_fingerprint = {} if model is None else {settings["model"]["fingerprint"]: model}

    def of(self, snapshot: Snapshot) -> SentenceTransformer | None:
        """The model that made the embeddings in ``snapshot``; None where it was not given."""
        recorded = snapshot.settings.get("model")
        return None if recorded is None else self._by_fingerprint.get(recorded["fingerprint"])

    def required(self, snapshot: Snapshot, purpose: str) -> SentenceTransformer:
        """As `of`; raises OptionError, which names the ``purpose``, where there is none."""
        model = self.of(snapshot)
        if model is not None:
            return model
        recorded = snapshot.settings.get("model")
        if recorded is None:
            raise OptionError(
                f"the index was built from embeddings alone, without a model; give embeddings, not {purpose}"
            )
        raise OptionError(
            f"the index was opened without its model {recorded['name']} (fingerprint {recorded['fingerprint']}), "
            f"which {purpose} needs: Index.open({str(self._folder)!r}, model=…) with that model, or its folder or name"
        )

    def check(self, snapshot: Snapshot) -> None:
        """Raise OptionError where models were given, but not the one that made the embeddings in ``snapshot``."""
        if self.of(snapshot) is None:
            for model in self._by_fingerprint.values():
                check_model(model, snapshot.settings, self._folder)

    def add(self, model: SentenceTransformer, fingerprint: str) -> None:
        """Have ``model`` beside the others."""
        self._by_fingerprint = {**self._by_fingerprint, fingerprint: model}

    def keep(self, fingerprint: str) -> None:
        """Forget all models but that with ``fingerprint``."""
        self._by_fingerprint = {fingerprint: self._by_fingerprint[fingerprint]}
