"""PEFT adapters: a few weights in a folder, which change those of a base model that lies elsewhere.

Some versions of transformers leave an adapter's weights out when they load its folder, with a warning only: the vectors
are then the base model's. So the base model is loaded by itself here, and PEFT puts the adapter on it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edge_st.hub.client import fetch_to_cache
from edge_st.hub.names import existing_folder, hub_name
from edge_st.hub.repository import Repository
from edge_st.hub.transfer import list_files
from edge_st_runtime.errors import (
    FolderError,
    FolderNotFoundError,
    HubError,
    MissingFileError,
    PackageMissingError,
    UnsupportedModelError,
)
from edge_st_runtime.files.reading import read_json
from edge_st_runtime.files.regular import is_there

from ..errors import converting

CONFIG_FILE = "adapter_config.json"
_FILES = "adapter_*"
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "*.index.json")
#: what a transformer is made of, apart from its tokenizer
_TRANSFORMER = ("config.json", *_WEIGHTS, "*.py")
_TOKENIZER = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model")


@dataclass(frozen=True)
class Adapter:
    """The adapter in ``folder``, and the folder of its base model, which ``name`` names.

    ``prefix`` is the path from the model's folder to ``folder``: "." where it is the same.
    """

    folder: Path
    prefix: str
    name: str
    base: Path


def find_adapters(folder: Path, prefixes: list[str], token: str | bool | None) -> tuple[Adapter, ...]:
    """The adapters in those of the folders ``prefixes`` below ``folder`` that have one, with their base models.

    Base models are fetched from the Hub unless they are folders. Raises PackageMissingError without PEFT,
    FolderNotFoundError where a base model is not to be had, UnsupportedModelError for a base that is an adapter itself.
    """
    with_adapter = [prefix for prefix in prefixes if is_there(folder / prefix / CONFIG_FILE)]
    if with_adapter and find_spec("peft") is None:
        raise PackageMissingError(
            f"{folder} holds an adapter, which PEFT puts on its base model; PEFT is not installed: pip install peft"
        )
    return tuple(_find(folder / prefix, prefix, token) for prefix in with_adapter)


def _find(folder: Path, prefix: str, token: str | bool | None) -> Adapter:
    file = folder / CONFIG_FILE
    config = read_json(file)
    name = config.get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise MissingFileError(
            f"{file} names no base model; write the name on the Hub, or the folder, of the model that the adapter was "
            'trained on into it: "base_model_name_or_path": "owner/name"'
        )
    try:
        base = existing_folder(name) or _fetch(name, config.get("revision"), token)
    except (FolderError, HubError) as error:
        why = "there is no such folder" if _is_path(name) else error
        raise FolderNotFoundError(
            f"{folder} is an adapter of the base model {name!r}, which is not to be had: {why}. {_advice(name, file)}"
        ) from error
    if is_there(base / CONFIG_FILE):
        raise UnsupportedModelError(
            f"{folder} is an adapter of {name!r}, which is an adapter itself; merge that one into its own base first: "
            "model.merge_and_unload() in PEFT, then save it"
        )
    if not is_there(base / "config.json"):
        raise FolderNotFoundError(
            f"{folder} is an adapter of the base model {name!r}, but {base} has no config.json. {_advice(name, file)}"
        )
    return Adapter(folder, prefix, name, base)


def _is_path(name: str) -> bool:
    """Whether it can be no name on the Hub."""
    return name.startswith((".", "~")) or len(Path(name).parts) > 2 or Path(name).is_absolute()


def _advice(name: str, file: Path) -> str:
    write = f'write the folder that it is in into {file}: "base_model_name_or_path": "FOLDER"'
    if _is_path(name):
        return f"Put the base model there, or {write}"
    return f"Where the Hub is reached: hf download {name} --local-dir {name}; run the same again beside it, or {write}"


def _fetch(name: str, revision: Any, token: str | bool | None) -> Path:
    """Fetch a base model's files from the Hub."""
    listing = list_files(Repository(hub_name(name, "sentence-transformers"), revision or "main", token))
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME") or None
    wanted = sorted(file for file in listing.files if _is_part(file))
    if "config.json" not in wanted:
        raise FolderNotFoundError(f"{name} has no config.json")
    safetensors = any(file.endswith(".safetensors") for file in wanted)
    paths = [fetch_to_cache(listing, file, cache) for file in wanted if not (safetensors and file.endswith(".bin"))]
    return paths[0].parent


def _is_part(file: str) -> bool:
    return "/" not in file and any(Path(file).match(pattern) for pattern in (*_TRANSFORMER, *_TOKENIZER))


@contextmanager
def with_bases(folder: Path, adapters: tuple[Adapter, ...]) -> Iterator[Path]:
    """The folder as it would be with the base models in place of ``adapters``, made of links; ``folder`` without any.

    Where an adapter's folder has no tokenizer, it is the base model's. Weights of whole models beside an adapter are
    left out, as transformers does.
    """
    if not adapters:
        yield folder
        return
    with TemporaryDirectory() as scratch:
        whole = Path(scratch) / folder.resolve().name
        shutil.copytree(folder.resolve(), whole, ignore=shutil.ignore_patterns(_FILES), copy_function=_link)
        for adapter in adapters:
            _replace_weights(whole / adapter.prefix, adapter.base)
        yield whole


def _replace_weights(target: Path, base: Path) -> None:
    """Link what ``target`` lacks of a model to ``base``, and the weights in any case."""
    for path in [path for pattern in _WEIGHTS for path in target.glob(pattern)]:
        path.unlink()
    own_tokenizer = any(target.glob("tokenizer*"))
    for pattern in _TRANSFORMER if own_tokenizer else (*_TRANSFORMER, *_TOKENIZER):
        for path in base.glob(pattern):
            if not (target / path.name).exists():
                (target / path.name).symlink_to(path.resolve())


def _link(file: str, target: str) -> None:
    Path(target).symlink_to(file)


def put_on(adapter: Adapter, transformer: Any) -> None:
    """Put the adapter on the base model in the module ``transformer``, unmerged.

    Raises ExportError where PEFT cannot, UnsupportedModelError where one of its weights has no place in the base model
    or is missing.
    """
    import peft
    from peft.utils import load_peft_weights

    folder = str(adapter.folder)
    with converting(f"PEFT {peft.__version__} putting {folder} on {adapter.name}", "check it with PEFT itself"):
        model = peft.PeftModel.from_pretrained(transformer.model, folder).eval()
        result = peft.set_peft_model_state_dict(model, load_peft_weights(folder, device="cpu"))
    missing = [name for name in result.missing_keys if ".default" in name]
    if result.unexpected_keys or missing:
        found, wrong = ("too much", result.unexpected_keys) if result.unexpected_keys else ("missing", missing)
        raise UnsupportedModelError(
            f"{folder} does not fit its base model {adapter.name!r}: of its weights, {len(wrong)} are {found}, such as "
            f"{wrong[0]}; check base_model_name_or_path in {adapter.folder / CONFIG_FILE}"
        )
    transformer.model = model


def merged(original: Any) -> Any:
    """A copy of ``original`` with its adapters merged into the weights.

    Raises ExportError for a kind of adapter that does not merge.
    """
    from peft import PeftModel
    from sentence_transformers.base.modules import Transformer

    copy = deepcopy(original)
    transformers = [module for module in copy.modules() if isinstance(module, Transformer)]
    for transformer in [module for module in transformers if isinstance(module.model, PeftModel)]:
        kind = transformer.model.active_peft_config.peft_type
        with converting(f"merging the adapter of type {kind}", "merge it with PEFT, save the model, and export that"):
            transformer.model = transformer.model.merge_and_unload(safe_merge=True)
    return copy
