"""Compare the layers of a loaded transformer with those in its file of weights.

A model trained for fewer layers is saved with those that are left. Where its config.json still counts the dropped ones,
transformers fills them with random weights and only warns.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import safe_open

from edge_st_runtime.errors import DamagedFileError

_LAYER = re.compile(r"\b(?P<block>(?:(?:encoder|decoder)\.)?(?:layers?|h|blocks?))\.(?P<number>\d+)\.")


def check_layers(folder: Path, names: Iterable[str]) -> None:
    """Raise DamagedFileError where the weights in ``folder`` lack layers that the loaded model has.

    ``names`` are those of the loaded parameters. Files of weights other than safetensors are not looked at.
    """
    stored = _layers(name for path in folder.glob("model*.safetensors") for name in _names(path))
    for block, wanted in _layers(names).items():
        lacking = sorted(wanted - stored.get(block, wanted))
        if lacking:
            kept = len(wanted) - len(lacking)
            config = folder / "config.json"
            raise DamagedFileError(
                f"{folder} has the weights of {kept} layers, but {config} counts {len(wanted)}; the others would be "
                f'random. If they were dropped on purpose, write "num_hidden_layers": {kept} there, or set '
                f"model[0].auto_model.config.num_hidden_layers = {kept} before the model is saved"
            )


def _layers(names: Iterable[str]) -> Mapping[str, set[int]]:
    """The numbers of the layers by what they are called, such as "encoder.layer"."""
    found: dict[str, set[int]] = defaultdict(set)
    for name in names:
        match = _LAYER.search(name)
        if match:
            found[match["block"]].add(int(match["number"]))
    return found


def _names(path: Path) -> list[str]:
    """The names of the tensors in a file, without reading these."""
    with safe_open(path, "np") as file:
        return list(file.keys())
