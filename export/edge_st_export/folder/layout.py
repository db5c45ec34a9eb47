"""The layout of the model folder: all that sentence-transformers saves, without the transformer's weights."""

import json
import shutil
from pathlib import Path
from typing import Any

from edge_st_runtime.files.reading import read_optional_json
from edge_st_runtime.model.folder import ModelFolder, read_folder
from edge_st_runtime.model.route import CLIP, TRANSFORMER

from ..errors import converting
from ..original.loading import Source, torch_routes

_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "*.index.json")
#: the model card, and the licence files, which licences ask to be passed on
CARD, LEGAL = "README.md", ("LICENSE*", "NOTICE*")


def save_layout(original: Any, source: Source, folder: Path) -> ModelFolder:
    """Save ``original`` into ``folder``, with the model card and licence files of its ``source``; return what is there.

    Modules that were stored as pickles are saved as safetensors. The weights that go into graphs are left out.
    Raises ExportError where the tokenizer cannot be converted to a tokenizer.json.
    """
    original.save_pretrained(str(folder), create_model_card=False)
    for path in [found for pattern in (CARD, *LEGAL) for found in source.folder.glob(pattern) if found.is_file()]:
        shutil.copyfile(path, folder / path.name)
    described = read_folder(folder, source.model_type)
    modules = torch_routes(original)
    for name, route in described.routes.items():
        if route.needs_graph:
            for path in [found for pattern in _WEIGHTS for found in route.path.glob(pattern)]:
                path.unlink()
        if route.kind in (TRANSFORMER, CLIP):
            _save_tokenizer(modules[name][0].tokenizer, route.path)
    return described


def _save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Add what transformers may leave out: tokenizer.json, and whether the model gets token types.

    Without the latter the answer would depend on the version of transformers that reads the folder.
    """
    if not (folder / "tokenizer.json").is_file():
        _save_fast_tokenizer(tokenizer, folder)
    path = folder / "tokenizer_config.json"
    config = {**read_optional_json(path), "model_input_names": list(tokenizer.model_input_names)}
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")


def _save_fast_tokenizer(tokenizer: Any, folder: Path) -> None:
    from transformers.convert_slow_tokenizer import convert_slow_tokenizer

    with converting(f"the conversion of {type(tokenizer).__name__} to tokenizer.json", "report the tokenizer's class"):
        convert_slow_tokenizer(tokenizer).save(str(folder / "tokenizer.json"))
