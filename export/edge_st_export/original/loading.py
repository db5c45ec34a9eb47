"""Find the model to export, check its configuration files, and load it with sentence-transformers."""

import inspect
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from numpy.typing import NDArray

from edge_st.hub.client import fetch_to_cache
from edge_st.hub.files import router_files
from edge_st.hub.names import existing_folder, hub_name
from edge_st.hub.repository import Repository
from edge_st.hub.transfer import list_files
from edge_st_runtime.errors import FolderNotFoundError, UnsupportedModelError, WrongClassError
from edge_st_runtime.files.reading import read_optional_json
from edge_st_runtime.files.regular import is_there
from edge_st_runtime.model.classes import MULTI_VECTOR_ENCODER, find_model_type, foreign_colbert
from edge_st_runtime.model.folder import (
    MODULES_FILE,
    ONLY_ROUTE,
    SETTINGS_FILE,
    module_kinds,
    plain_architecture,
    read_routers,
    read_steps,
)
from edge_st_runtime.model.route import CLIP, FIRST, MASKED, TRANSFORMER, longest_input, transformer_config
from edge_st_runtime.modules.loaders import LOADERS

from ..errors import ExportError, converting
from .adapters import CONFIG_FILE as ADAPTER_FILE
from .adapters import Adapter, find_adapters, put_on, with_bases
from .architectures import check_architectures
from .layers import check_layers
from .tasks import organization, wanted_type

_DESCRIPTIONS = ("modules.json", "config.json", SETTINGS_FILE, ADAPTER_FILE)
_NEED_A_GRAPH = (TRANSFORMER, CLIP, MASKED, "LSTM")
_OTHER_FRAMEWORKS = {".onnx", ".onnx_data", ".h5", ".msgpack", ".ot", ".tflite", ".gguf", ".xml", ".mlmodel"}
#: the task of the transformers of ColPali and its kind
_OF_PICTURES = "retrieval"
_OTHER_FOLDERS = ("onnx/", "openvino/", "coreml/")


@dataclass(frozen=True)
class Source:
    """A model's name, and the folder that its files are in.

    ``revision`` is the commit on the Hub, or None for a folder. ``model_type`` is its class in sentence-transformers.
    ``needs_graph`` says whether an engine is to run part of it. ``architecture`` is the transformer's class where the
    folder has no modules.json, else "". ``adapters`` are put on their base models when it is loaded.
    """

    folder: Path
    name: str
    revision: str | None
    model_type: str
    needs_graph: bool
    architecture: str = ""
    adapters: tuple[Adapter, ...] = ()


def find_source(
    model: str | os.PathLike[str], revision: str | None, token: str | bool | None, task: str | None = None
) -> Source:
    """Find ``model``: the folder of that name if there is one, else the model of that name on the Hub.

    Its configuration files are checked (see `check_supported`) before its weights are downloaded. Weights of other
    frameworks are not downloaded. ``task`` is "sentence-embedding", "cross-encoder", "sparse-encoder" or
    "multi-vector-encoder"; with None the model itself says. The base model of an adapter is found, too. Raises
    UnsupportedModelError, FolderError, HubError, PackageMissingError for an adapter without PEFT, and OptionError for
    an unknown task.
    """
    wanted = wanted_type(task)
    folder = existing_folder(model)
    if folder is not None:
        return _source(folder, folder.resolve().name, None, wanted, token)
    listing = list_files(Repository(hub_name(model, organization(wanted)), revision or "main", token))
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME") or None
    paths = [fetch_to_cache(listing, name, cache) for name in _DESCRIPTIONS if name in listing.files]
    if not paths:
        raise FolderNotFoundError(
            f"{listing.repository.name} has neither modules.json nor config.json; give the name of an embedding model"
        )
    folder = paths[0].parent
    routers = [] if paths[0].name == ADAPTER_FILE else read_routers(folder)
    adapters = [name for name in listing.files if PurePosixPath(name).name == ADAPTER_FILE]
    for name in (*router_files(listing.files, routers), *adapters):
        fetch_to_cache(listing, name, cache)
    source = _source(folder, listing.repository.name, listing.commit, wanted, token)
    for name in needed_files(listing.files):
        fetch_to_cache(listing, name, cache)
    return source


def _source(folder: Path, name: str, revision: str | None, wanted: str | None, token: str | bool | None) -> Source:
    """The source in ``folder``, its configuration checked as `check_supported` does."""
    first = [folder]
    if is_there(folder / MODULES_FILE):
        first = list(dict.fromkeys(steps[0][1] for steps in read_steps(folder)[1].values()))
    adapters = find_adapters(folder, [path.relative_to(folder).as_posix() for path in first], token)
    with with_bases(folder, adapters) as whole:
        checked = check_supported(whole, wanted)
        return Source(folder, name, revision, *checked, plain_architecture(whole) or "", adapters)


def needed_files(names: Collection[str]) -> list[str]:
    """The files that PyTorch needs; where weights are there in two formats, the safetensors."""
    with_safetensors = {str(PurePosixPath(name).parent) for name in names if name.endswith(".safetensors")}
    return sorted(
        name
        for name in names
        if PurePosixPath(name).suffix not in _OTHER_FRAMEWORKS
        and not name.startswith(_OTHER_FOLDERS)
        and not (name.endswith(".bin") and str(PurePosixPath(name).parent) in with_safetensors)
    )


def check_supported(folder: Path, wanted: str | None = None) -> tuple[str, bool]:
    """The model's class, and whether an engine is to run part of it. Only JSON files are read.

    Raises UnsupportedModelError where the class is not the ``wanted`` one, a module cannot be exported or transformers
    does not know an architecture, FolderNotFoundError where there is no model.
    """
    settings, architecture = read_optional_json(folder / SETTINGS_FILE), plain_architecture(folder) or ""
    _, routes = read_steps(folder)
    if foreign_colbert(settings, architecture):
        model_type = _of_colbert(folder, wanted)
    else:
        model_type = find_model_type(folder, settings, architecture, wanted, module_kinds(folder, routes))
    for (first, _), *others in routes.values():
        unknown = [kind for kind, _ in others if kind not in LOADERS]
        if first not in FIRST or unknown:
            raise UnsupportedModelError(
                f"{folder / 'modules.json'} names the module {unknown[0] if unknown else first!r}; expected one of "
                f"{', '.join(FIRST)}, then {', '.join(sorted(LOADERS))}, or a Router over them"
            )
    steps = [step for steps in routes.values() for step in steps]
    check_architectures(path for kind, path in steps if kind in (TRANSFORMER, CLIP, MASKED))
    _check_texts(path for kind, path in steps if kind == TRANSFORMER)
    return model_type, any(kind in _NEED_A_GRAPH for kind, _ in steps)


def _of_colbert(folder: Path, wanted: str | None) -> str:
    """The class that a ColBERT model of PyLate or Stanford becomes; raises WrongClassError where another is wanted."""
    if wanted not in (None, MULTI_VECTOR_ENCODER):
        raise WrongClassError(
            f"{folder} is a ColBERT model, not a {wanted}; leave out task (--task) to export a {MULTI_VECTOR_ENCODER}",
            MULTI_VECTOR_ENCODER,
        )
    return MULTI_VECTOR_ENCODER


def _check_texts(folders: Iterable[Path]) -> None:
    """Raise UnsupportedModelError for a transformer that compares texts with pages as pictures, such as ColPali's."""
    for folder in folders:
        file, config = transformer_config(folder)
        if config.get("transformer_task") == _OF_PICTURES:
            raise UnsupportedModelError(
                f"{folder / file}: transformer_task is {_OF_PICTURES!r}, that of models which compare texts with pages "
                "as pictures; expected a model of texts"
            )


def load_original(source: Source, *, trust_remote_code: bool) -> Any:
    """Load the model on the CPU in float32, whatever it is stored in; adapters are on their base models, unmerged.

    A text limit beyond the model's positions is lowered to them. Raises ExportError, with sentence-transformers' own
    message, where the model does not load, DamagedFileError where the file of weights lacks layers, and
    UnsupportedModelError where an adapter does not fit its base model.
    """
    with with_bases(source.folder, source.adapters) as folder:
        model = _load(folder, source, trust_remote_code=trust_remote_code)
        first = {steps[0][1]: torch_routes(model)[name][0] for name, steps in read_steps(folder)[1].items()}
        for path, module in first.items():
            if hasattr(module, "auto_model"):
                check_layers(path, module.auto_model.state_dict())
    dim = getattr(model, "truncate_dim", None)
    if isinstance(dim, float) and dim.is_integer():
        model.truncate_dim = int(dim)
    for module in first.values():
        _cap_limit(module)
        _keep_declared(module)
    model.float().eval()
    for adapter in source.adapters:
        put_on(adapter, first[folder / adapter.prefix])
    return model


def _load(folder: Path, source: Source, *, trust_remote_code: bool) -> Any:
    import sentence_transformers

    version = sentence_transformers.__version__
    if not hasattr(sentence_transformers, source.model_type):
        raise ExportError(
            f"sentence-transformers {version} has no {source.model_type}; pip install -U sentence-transformers"
        )
    hint = "if it runs code of its own that you trust: trust_remote_code=True (--trust-remote-code)"
    with converting(f"sentence-transformers {version} loading {source.name}", hint):
        return getattr(sentence_transformers, source.model_type)(
            str(folder),
            device="cpu",
            trust_remote_code=trust_remote_code,
            local_files_only=not trust_remote_code,
        )


def _cap_limit(first: Any) -> None:
    """Lower a limit beyond the positions: some folders say 514 for RoBERTa, which fails on texts beyond 512.

    A limit such as 64.0 becomes a whole number, as transformers' tokenizers need it.
    """
    limit = getattr(first, "max_seq_length", None)
    if isinstance(limit, float) and limit.is_integer():
        first.max_seq_length = int(limit)
    config = getattr(first, "config", None)
    positions = None if config is None else longest_input(config.to_dict())
    if positions is not None and first.max_seq_length > positions:
        first.max_seq_length = positions


def _keep_declared(first: Any) -> None:
    """Feed a transformer only what its ``forward`` declares, whatever its tokenizer gives.

    sentence-transformers feeds token_type_ids to every transformer, which those of DistilBERT fail on.
    """
    if getattr(first, "model_forward_params", None) is None:
        return
    declared = declared_inputs(first)
    if all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in declared.values()):
        first.model_forward_params &= set(declared)


def declared_inputs(transformer: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of the transformer's ``forward`` by name."""
    return inspect.signature(transformer.model.forward).parameters


def torch_routes(original: Any) -> dict[str, list[Any]]:
    """The modules of every route, by the name that `edge_st_runtime.model.folder` gives it."""
    from sentence_transformers.base.modules import Router

    modules = list(original)
    place = next((place for place, module in enumerate(modules) if isinstance(module, Router)), None)
    if place is None:
        return {ONLY_ROUTE: modules}
    before, after = modules[:place], modules[place + 1 :]
    return {name: [*before, *branch, *after] for name, branch in modules[place].sub_modules.items()}


def parameters(modules: Iterable[Any]) -> dict[str, NDArray[Any]]:
    """The parameters and buffers of ``modules`` by name."""
    return {
        f"{place}.{name}": tensor.detach().cpu().numpy()
        for place, module in enumerate(modules)
        for name, tensor in module.state_dict().items()
    }
