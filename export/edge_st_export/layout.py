"""The small files of the model folder: everything that sentence-transformers saves, less the transformer's weights."""

import shutil
from pathlib import Path
from typing import Any

from .errors import converting

_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "*.index.json")
_PAPERS = ("README.md", "LICENSE*", "NOTICE*")


def save_layout(original: Any, source: Path, folder: Path, *, keep_weights: bool) -> None:
    """Save ``original`` into ``folder``, with the model card and licence of its folder ``source``.

    Modules stored as a pickle become safetensors on the way. ``keep_weights`` leaves the first module's own in.
    Raises ExportError where there is no way to a tokenizer.json.
    """
    original.save_pretrained(str(folder), create_model_card=False)
    if not keep_weights:
        for path in [found for pattern in _WEIGHTS for found in folder.glob(pattern)]:
            path.unlink()
    for path in [found for pattern in _PAPERS for found in source.glob(pattern) if found.is_file()]:
        shutil.copyfile(path, folder / path.name)
    if not (folder / "tokenizer.json").is_file():
        _save_fast_tokenizer(original.tokenizer, folder)


def _save_fast_tokenizer(tokenizer: Any, folder: Path) -> None:
    from transformers.convert_slow_tokenizer import convert_slow_tokenizer

    advice = "if a package is missing: pip install 'edge-st-export[sentencepiece]'"
    with converting(f"the conversion of {type(tokenizer).__name__} to tokenizer.json", advice):
        convert_slow_tokenizer(tokenizer).save(str(folder / "tokenizer.json"))
