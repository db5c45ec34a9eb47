"""The model to export: found, checked by its description alone, then loaded by sentence-transformers."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from numpy.typing import NDArray

from edge_st.hub.client import Repository, fetch_to_cache, list_files
from edge_st.hub.names import existing_folder, hub_name
from edge_st_runtime.errors import FolderNotFoundError, UnsupportedModelError
from edge_st_runtime.files import read_json_list, read_optional_json
from edge_st_runtime.folder import STATIC, TRANSFORMER
from edge_st_runtime.module_loaders import LOADERS

from .errors import converting

_DESCRIPTIONS = ("modules.json", "config.json", "config_sentence_transformers.json")
_OTHER_FRAMEWORKS = {".onnx", ".onnx_data", ".h5", ".msgpack", ".ot", ".tflite", ".gguf", ".xml", ".mlmodel"}
_OTHER_FOLDERS = ("onnx/", "openvino/", "coreml/")


@dataclass(frozen=True)
class Source:
    """Where a model's files are and what it is called.

    ``revision`` is the commit on the Hub, None for a folder; ``first`` the class of the first module.
    """

    folder: Path
    name: str
    revision: str | None
    first: str


def find_source(model: str | os.PathLike[str], revision: str | None, token: str | bool | None) -> Source:
    """``model`` as a folder if there is one, else its files from the Hub, checked by `check_supported` on the way.

    Weights of other frameworks are not downloaded. Raises FolderError and HubError.
    """
    folder = existing_folder(model)
    if folder is not None:
        return Source(folder, folder.resolve().name, None, check_supported(folder))
    listing = list_files(Repository(hub_name(model, "sentence-transformers"), revision or "main", token))
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME") or None
    paths = [fetch_to_cache(listing, name, cache) for name in _DESCRIPTIONS if name in listing.files]
    if not paths:
        raise FolderNotFoundError(
            f"{listing.repository.name} has neither modules.json nor config.json; give the name of an embedding model"
        )
    first = check_supported(paths[0].parent)
    for name in needed_files(listing.files):
        fetch_to_cache(listing, name, cache)
    return Source(paths[0].parent, listing.repository.name, listing.commit, first)


def needed_files(names: Collection[str]) -> list[str]:
    """The files that PyTorch needs: of weights in two formats, the safetensors."""
    with_safetensors = {str(PurePosixPath(name).parent) for name in names if name.endswith(".safetensors")}
    return sorted(
        name
        for name in names
        if PurePosixPath(name).suffix not in _OTHER_FRAMEWORKS
        and not name.startswith(_OTHER_FOLDERS)
        and not (name.endswith(".bin") and str(PurePosixPath(name).parent) in with_safetensors)
    )


def check_supported(folder: Path) -> str:
    """The class of the first module, from the folder's description; nothing but JSON is read.

    Raises UnsupportedModelError where it names what cannot be exported, FolderNotFoundError where there is none.
    """
    settings, config = (read_optional_json(folder / name) for name in (_DESCRIPTIONS[2], _DESCRIPTIONS[1]))
    kind = settings.get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer":
        raise UnsupportedModelError(f"{folder} is a {kind}; this version exports SentenceTransformer models")
    if (folder / "modules.json").is_file():
        return _check_modules(folder)
    if not config:
        raise FolderNotFoundError(f"{folder} has neither modules.json nor config.json; expected a model folder")
    if any(str(name).endswith("ForSequenceClassification") for name in config.get("architectures") or ()):
        raise UnsupportedModelError(
            f"{folder} is a {config['architectures'][0]}, a classifier or cross-encoder; expected an embedding model"
        )
    return TRANSFORMER


def _check_modules(folder: Path) -> str:
    types = [str(entry.get("type", "")) for entry in read_json_list(folder / "modules.json")]
    names = [name.rpartition(".")[2] for name in types]
    custom = [name for name in types if not name.startswith("sentence_transformers.")]
    unknown = [name for name in names[1:] if name not in LOADERS]
    if custom:
        raise UnsupportedModelError(
            f"{folder / 'modules.json'} names the module {custom[0]!r}, which is code of its own; expected modules of "
            f"sentence-transformers: {TRANSFORMER} or {STATIC}, then {', '.join(sorted(LOADERS))}"
        )
    if not names or names[0] not in (TRANSFORMER, STATIC) or unknown:
        found = unknown[0] if unknown else (names or ["nothing"])[0]
        raise UnsupportedModelError(
            f"{folder / 'modules.json'} names the module {found!r}; expected {TRANSFORMER} or {STATIC}, "
            f"then {', '.join(sorted(LOADERS))}"
        )
    return names[0]


def load_original(source: Source, *, trust_remote_code: bool) -> Any:
    """The model on the CPU in float32, whatever precision it is stored in.

    Raises ExportError, with sentence-transformers' own reason, where it does not load.
    """
    import sentence_transformers

    hint = "if it runs code of its own that you trust: trust_remote_code=True (--trust-remote-code)"
    with converting(f"sentence-transformers {sentence_transformers.__version__} loading {source.name}", hint):
        model = sentence_transformers.SentenceTransformer(
            str(source.folder),
            device="cpu",
            trust_remote_code=trust_remote_code,
            local_files_only=not trust_remote_code,
        )
    return model.float().eval()


def parameters(transformer: Any) -> dict[str, NDArray[Any]]:
    """The parameters and buffers by name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in transformer.state_dict().items()}
