"""Whether the installed transformers knows a model's architecture, asked before its weights are downloaded."""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from edge_st_runtime.errors import UnsupportedModelError
from edge_st_runtime.files.reading import read_optional_json

#: the newest transformers that optimum-intel takes, as in export/constraints.txt
_WITH_OPENVINO = Version("5.6")


def check_architectures(folders: Iterable[Path]) -> None:
    """Raise UnsupportedModelError for the config.json of an architecture that transformers does not know.

    The message names the constraints file whose transformers does. A model with code of its own needs none that
    transformers knows. ``folders`` are those of a model's transformers.
    """
    from transformers import CONFIG_MAPPING

    installed = version("transformers")
    for path in (folder / "config.json" for folder in folders):
        config = read_optional_json(path)
        kind = config.get("model_type")
        if kind is None or kind in CONFIG_MAPPING or config.get("auto_map"):
            continue
        saved = config.get("transformers_version")
        raise UnsupportedModelError(
            f"{path}: model_type is {kind!r}, which transformers {installed} does not know"
            f"{f'; the model was saved by {saved}' if saved else ''}. Export it in an environment of its own: "
            f"{_newer(installed, saved)}"
        )


def _newer(installed: str, saved: Any) -> str:
    """How to install a transformers newer than ``installed`` that knows what the version ``saved`` wrote."""
    try:
        with_openvino = Version(installed) < Version(str(saved)) < _WITH_OPENVINO
    except InvalidVersion:
        with_openvino = False
    if with_openvino:
        return "pip install -c export/constraints.txt . './export[openvino]'"
    return "pip install -c export/constraints-onnx.txt . ./export, then edge-st export with --engine onnx"
