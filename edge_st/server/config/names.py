"""The names by which clients ask for models and indexes: each stands for one."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from edge_st_runtime.errors import EdgeSTError, FolderError, OptionError

from ...hub.installed import FOLDER, installed_models
from ...hub.names import existing_folder, hub_name
from ...models.sentence_transformer import SentenceTransformer
from .served import IndexConfig, ModelConfig


def named(models: Sequence[ModelConfig], where: str) -> tuple[ModelConfig, ...]:
    """``models``, those without a name with their own; ``where`` they are given is for messages.

    Raises OptionError where a name stands for two models, and for one that can only be a folder that is missing.
    """
    if not models:
        raise OptionError(f"{where}models is empty; expected at least one model, or leave it out for the bundled one")
    found = tuple(_named(each, f"{where}models[{number}].model: ") for number, each in enumerate(models))
    seen: dict[str, int] = {}
    for number, model in enumerate(found):
        for name in (model.name, *model.aliases):
            if name in seen:
                raise OptionError(
                    f"{where}models[{number}]: the name {name!r} stands for models[{seen[name]}] already; expected "
                    "another `name` or alias"
                )
            seen[name] = number
    return found


def _named(model: ModelConfig, where: str) -> ModelConfig:
    try:
        own = own_name(model.model)
    except EdgeSTError as error:
        raise OptionError(f"{where}{error}") from error
    return model if model.name else replace(model, name=own)


def own_name(model: str | None) -> str:
    """What a model is called where nobody says: by its folder, or by the name under which it is installed.

    Raises what the constructors of models raise for a name that is none.
    """
    if model is None:
        assert SentenceTransformer._bundled is not None
        return SentenceTransformer._bundled.name
    folder = existing_folder(model)
    if folder is None:
        hub_name(model, "owner")  # an installed model or one on the Hub, if it can be that
        return model
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - a link is named as its owner named it
    installed = _installed_name(folder.resolve()) if folder.name == FOLDER else None
    return installed or folder.name


def check_indexes(indexes: Sequence[IndexConfig], models: Sequence[ModelConfig], where: str) -> None:
    """Raise OptionError for a folder that is missing, a name that is there twice, and a model that is not served."""
    served, seen = list(_names(models)), dict[str, int]()
    for number, index in enumerate(indexes):
        place = f"{where}indexes[{number}]"
        if index.name in seen:
            raise OptionError(
                f"{place}: the name {index.name!r} is that of indexes[{seen[index.name]}]; expected another"
            )
        if index.model not in served:
            raise OptionError(
                f"{place}: the model {index.model!r} is not served; expected one of {', '.join(map(repr, served))}"
            )
        if not index.path.is_dir():
            raise OptionError(f"{place}: there is no folder {index.path}; make an index with: edge-st index build")
        seen[index.name] = number


def _names(models: Sequence[ModelConfig]) -> Iterator[str]:
    for model in models:
        yield from (model.name, *model.aliases)


def _installed_name(folder: Path) -> str | None:
    """The shortest name by which an installed distribution brings ``folder``."""
    found = []
    for model in installed_models():
        try:
            if model.folder().resolve() == folder:
                found.append(model.name)
        except FolderError:  # another one, which is not asked for
            continue
    return min(found, key=len, default=None)
