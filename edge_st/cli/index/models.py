"""The model of an index, opened by the name that the index records."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_st_runtime.errors import EdgeSTError, OptionError, WrongClassError

from ..arguments import load, load_encoder

if TYPE_CHECKING:
    from edge_st import MultiVectorEncoder, SentenceTransformer

    from ...index.opening import AnyIndex

    Model = SentenceTransformer | MultiVectorEncoder


def load_named(name: str | None, index: "type[AnyIndex] | None" = None) -> "Model":
    """The model ``name``, of the class that ``index`` takes; None: of either class that an index takes.

    An index records a model folder by its absolute path, so that it is found from anywhere. Raises OptionError for a
    model of the other class, and where an index of token vectors is given no model.
    """
    from ...hub.names import existing_folder

    model = load_encoder(name) if index is None else _of_index(name, index)
    if name is not None:
        folder = existing_folder(name)
        model.model_card_data.model_name = name if folder is None else str(folder.resolve())
    return model


def _of_index(name: str | None, index: "type[AnyIndex]") -> "Model":
    from edge_st import MultiVectorEncoder, MultiVectorIndex

    if index is not MultiVectorIndex:
        return load(name)
    if name is None:
        raise OptionError("the index holds token vectors, and no model for these is bundled; name its own with --model")
    try:
        return MultiVectorEncoder(name)
    except WrongClassError as error:
        raise OptionError(f"{error}: the index holds token vectors, which a MultiVectorEncoder gives") from error


def model_of(path: str, name: str | None) -> "Model":
    """The model that the index in ``path`` was built with, opened by ``name`` or by the name that the index records.

    Raises OptionError for another model, and where the recorded name cannot be opened.
    """
    from edge_st import Index

    from ...index.opening import index_class

    index = index_class(path)
    recorded = index.open(path).info()["model"]
    if recorded is None:
        raise OptionError(
            f"{path} was built from embeddings without a model, so the command line can neither add texts nor search "
            "by them; open it from Python: "
            f"edge_st.{index.__name__}.open"
        )
    if name is not None:
        return _checked(load_named(name, index), name, recorded, path)
    if index is Index and (bundled := load(None)).fingerprint == recorded["fingerprint"]:
        return bundled
    try:
        model = load_named(recorded["name"], index)
    except EdgeSTError as error:
        raise OptionError(
            f"{path} was built with {_described(recorded)}, which cannot be opened by that name ({error}); say where "
            "it is with --model"
        ) from error
    return _checked(model, recorded["name"], recorded, path)


def check_same(path: Path, model: "Model", name: str | None, recorded: dict[str, Any] | None) -> None:
    """Raise OptionError unless ``model``, opened by ``name``, is the one ``recorded`` by the index in ``path``."""
    if recorded is None:
        raise OptionError(f"{path} was built from embeddings without a model; build another index in another folder")
    _checked(model, name, recorded, str(path))


def _checked(model: "Model", name: str | None, recorded: dict[str, Any], path: str) -> "Model":
    from ...index.models import difference, identity_of

    if model.fingerprint != recorded["fingerprint"]:
        given = identity_of(model)
        raise OptionError(
            f"{path} was built with {_described(recorded)}, not with {_described(given)}: their embeddings do not "
            f"compare{difference(recorded, given)}. Name the first with --model, or move the index to the other with: "
            f"edge-st index migrate {path} --model {name or model.info()['path']}"
        )
    return model


def _described(model: dict[str, Any]) -> str:
    return f"{model['name']} (fingerprint {model['fingerprint']})"
