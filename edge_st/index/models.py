"""The models of an index: opened, compared with the fingerprint that the index records, and looked up by it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from edge_st_runtime.checks import described
from edge_st_runtime.errors import OptionError
from edge_st_runtime.store.rows.snapshot import Snapshot

from ..models.encoder import Encoder

M = TypeVar("M", bound=Encoder)


def opened_model(model: Encoder | str | Path | None, kind: type[Encoder]) -> Any:
    """``model``, opened as a ``kind`` where it is a folder or a name.

    Raises OptionError for any other type, and what opening a model raises.
    """
    if model is None or isinstance(model, kind):
        return model
    if not isinstance(model, str | Path):
        raise OptionError(f"model is {described(model)}; expected a {kind.__name__}, or a folder or name of one")
    return kind(model)


def identity_of(model: Encoder) -> dict[str, Any]:
    """What an index records of its model: the fingerprint, to compare; its name and the fingerprint's parts, to say."""
    name = str(model.model_card_data.model_name)
    return {"name": name, "fingerprint": model.fingerprint, "parts": model.fingerprint_parts}


def check_model(model: Encoder, settings: Mapping[str, Any], folder: Path) -> None:
    """Raise OptionError unless the index in ``folder`` records the fingerprint of ``model``."""
    recorded, given = settings.get("model"), identity_of(model)
    if recorded is None:
        raise OptionError(f"{folder} was built from embeddings without a model; open it without one")
    if recorded["fingerprint"] != given["fingerprint"]:
        raise OptionError(
            f"{folder} was built with {recorded['name']} (fingerprint {recorded['fingerprint']}), the model "
            f"given is {given['name']} ({given['fingerprint']}): their embeddings do not compare"
            f"{difference(recorded, given)}. Open it with the first, or without a model and move it to the other with "
            "migrate(model)"
        )


def difference(recorded: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Which parts of two identities differ, as the end of a sentence; "" where one does not record them."""
    old, new = recorded.get("parts"), given.get("parts")
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return ""
    return f", as they differ in {', '.join(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))}"


class Models:
    """The models that were given for the index in a folder, by fingerprint.

    At most one, except while the index moves to another model: then both are here, so that every search finds the
    model of its snapshot.
    """

    def __init__(self, folder: Path, opened: str, model: Encoder | None, settings: Mapping[str, Any]) -> None:
        """``opened`` is the class that opens the folder, for messages."""
        self._folder, self._opened = folder, opened
        self._by_fingerprint: dict[str, Encoder] = {}
        #: of each model what it was set to when its fingerprint was right
        self._set_to: dict[str, Any] = {}
        if model is not None:
            self.add(model, settings["model"]["fingerprint"])

    def of(self, snapshot: Snapshot[Any, Any]) -> Encoder | None:
        """The model that made the embeddings in ``snapshot``; None where it was not given."""
        recorded = snapshot.settings.get("model")
        return None if recorded is None else self._by_fingerprint.get(recorded["fingerprint"])

    def required(self, snapshot: Snapshot[Any, Any], purpose: str) -> Encoder:
        """As `of`; raises OptionError, which names the ``purpose``, where there is none.

        Raises OptionError, too, for a model whose fingerprint has changed since it was given, as by its
        ``max_seq_length`` or ``prompts``.
        """
        model = self.of(snapshot)
        if model is not None:
            self._check_unchanged(model, snapshot)
            return model
        recorded = snapshot.settings.get("model")
        if recorded is None:
            raise OptionError(
                f"the index was built from embeddings alone, without a model; give embeddings, not {purpose}"
            )
        raise OptionError(
            f"the index was opened without its model {recorded['name']} (fingerprint {recorded['fingerprint']}), "
            f"which {purpose} needs: {self._opened}.open({str(self._folder)!r}, model=…) with that model, or its "
            "folder or name"
        )

    def _check_unchanged(self, model: Encoder, snapshot: Snapshot[Any, Any]) -> None:
        key, now = snapshot.settings["model"]["fingerprint"], model.changeable()
        if self._set_to[key] != now:
            check_model(model, snapshot.settings, self._folder)
            self._set_to = {**self._set_to, key: now}

    def check(self, snapshot: Snapshot[Any, Any]) -> None:
        """Raise OptionError where models were given, but not the one that made the embeddings in ``snapshot``."""
        if self.of(snapshot) is None:
            for model in self._by_fingerprint.values():
                check_model(model, snapshot.settings, self._folder)

    def add(self, model: Encoder, fingerprint: str) -> None:
        """Have ``model`` beside the others."""
        self._by_fingerprint = {**self._by_fingerprint, fingerprint: model}
        self._set_to = {**self._set_to, fingerprint: model.changeable()}

    def keep(self, fingerprint: str) -> None:
        """Forget all models but that with ``fingerprint``."""
        self._by_fingerprint = {fingerprint: self._by_fingerprint[fingerprint]}
