"""What the folder of a loaded model says for people and clients, and its class does not show."""

from typing import Any

from edge_st_runtime.files.reading import reading, section, wrong
from edge_st_runtime.modules.specs import Pooling

from .base import BaseModel
from .cross_encoder import CrossEncoder

#: the names that text-embeddings-inference has
_POOLING = {"lasttoken": "last_token"}


def labels_of(model: CrossEncoder) -> list[str]:
    """The name of each label, in the order of the scores, as ``id2label`` in config.json has them.

    Where it has none, they are "LABEL_0", "LABEL_1" and so on, as in transformers. Raises DamagedFileError for names
    that are no strings.
    """
    folder = model._runner.folder
    with reading(folder.path / "config.json"):
        names = section(_config(model), "id2label")
        found = [names.get(str(place), f"LABEL_{place}") for place in range(model.num_labels)]
        if not all(isinstance(name, str) for name in found):
            raise wrong("id2label", names, "a name for each label")
    return found


def architecture_of(model: BaseModel) -> str:
    """The ``model_type`` in config.json, such as "bert"; "static" for a model without a transformer."""
    return str(_config(model).get("model_type") or "static")


def pooling_of(model: BaseModel) -> str:
    """How tokens become an embedding, such as "mean", "cls" or "last_token"; several modes are joined by "+"."""
    modules = model._runner.folder.routes[model._runner.main_route].modules
    modes = next((module.modes for module in modules if isinstance(module, Pooling)), ("mean",))
    return "+".join(_POOLING.get(mode, mode) for mode in modes)


def size_of(model: BaseModel) -> int:
    """The bytes of the graph or weights that run, with what lies beside them under the same name."""
    runner = model._runner
    file = runner.folder.routes[runner.main_route].path / runner.main_choice.file
    return sum(each.stat().st_size for each in file.parent.glob(f"{file.stem}.*") if each.is_file())


def _config(model: BaseModel) -> dict[str, Any]:
    return dict(model._runner.folder.routes[model._runner.main_route].config)
