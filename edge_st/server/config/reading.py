"""The configuration as a file, serve.yaml, or as a mapping of the same keys."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import DamagedFileError, InputError, OptionError

from ...yaml_files import parse_yaml
from ..key_files import read_keys
from .names import check_indexes, named
from .served import MEGABYTE, Config, IndexConfig, ModelConfig
from .values import COUNT, LIST, NOT_NEGATIVE, OPTIONS, POSITIVE, SWITCH, TEXT, TEXTS, Kind, checked

_TOP: Mapping[str, Kind] = {
    "models": LIST,
    "indexes": LIST,
    "threads": COUNT,
    "lazy": SWITCH,
    "unload_after": POSITIVE,
    "queue_tokens": COUNT,
    "cache_mb": NOT_NEGATIVE,
    "max_body_mb": POSITIVE,
    "max_texts": COUNT,
    "keys_file": TEXT,
    "cors_origins": TEXTS,
    "page": SWITCH,
}
_MODEL: Mapping[str, Kind] = {"model": TEXT, "name": TEXT, "aliases": TEXTS, "options": OPTIONS, "truncate": SWITCH}
_INDEX: Mapping[str, Kind] = {"path": TEXT, "name": TEXT, "model": TEXT}


def read_config(path: str | Path) -> Config:
    """The configuration in a YAML file. Folders and files in it are looked for from the file's own folder.

    Raises OptionError for a file that cannot be read, InputError for what is no YAML, and as `as_config`.
    """
    path = Path(path)
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"), path)
    except OSError as error:
        raise OptionError(f"the configuration {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start + 1} is not UTF-8; convert the file, for example with iconv"
        ) from error
    except DamagedFileError as error:
        raise InputError(" ".join(str(error).split())) from error
    return _config({} if document is None else document, f"{path}: ", path.parent)


def as_config(config: Config | Mapping[str, Any] | None = None) -> Config:
    """``config`` with a name for each model, checked. A mapping has the keys of serve.yaml; None is the bundled model.

    Raises OptionError for an unknown key, a value of another type, a name that stands for two models, an index whose
    model is not served, and a folder that is missing; what `read_keys` raises for ``keys_file``.
    """
    if isinstance(config, Config):
        return _named(config, "")
    return _config({} if config is None else config, "", Path())


def _config(mapping: Any, where: str, folder: Path) -> Config:
    found = checked(mapping, _TOP, where)
    models = [
        _model(each, f"{where}models[{number}]: ", folder) for number, each in enumerate(found.pop("models", [{}]))
    ]
    indexes = [
        _index(each, f"{where}indexes[{number}]: ", folder) for number, each in enumerate(found.pop("indexes", []))
    ]
    if "max_body_mb" in found:
        found["max_body_bytes"] = int(found.pop("max_body_mb") * MEGABYTE)
    if "keys_file" in found:
        found["keys"] = read_keys(folder / found.pop("keys_file"))
    if "cors_origins" in found:
        found["cors_origins"] = tuple(found["cors_origins"])
    return _named(Config(models=tuple(models), indexes=tuple(indexes), **found), where)


def _named(config: Config, where: str) -> Config:
    models = named(config.models, where)
    check_indexes(config.indexes, models, where)
    return replace(config, models=models)


def _model(mapping: Any, where: str, folder: Path) -> ModelConfig:
    """A model; a text alone is its folder or name."""
    found = checked({"model": mapping} if isinstance(mapping, str) else mapping, _MODEL, where)
    if "model" in found and (folder / Path(found["model"]).expanduser()).is_dir():
        found["model"] = str(folder / Path(found["model"]).expanduser())
    aliases = tuple(found.pop("aliases", ()))
    return ModelConfig(**found, aliases=aliases)


def _index(mapping: Any, where: str, folder: Path) -> IndexConfig:
    found = checked(mapping, _INDEX, where, required=("path", "name", "model"))
    return IndexConfig(folder / Path(found["path"]).expanduser(), found["name"], found["model"])
