"""Write a static embedding in the folder layout of sentence-transformers' StaticEmbedding."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save
from tokenizers import Tokenizer

from edge_st_runtime.arrays import Floats

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"},
    {"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"},
]
CONFIG: dict[str, Any] = {
    "model_type": "SentenceTransformer",
    "prompts": {},
    "default_prompt_name": None,
    "similarity_fn_name": "cosine",
}
CARD = """\
---
library_name: edge-st
tags: [sentence-transformers, static-embedding]
---
# A static embedding of {teacher}

A table of {vocabulary} token vectors of {dim} dimensions ({storage}), distilled from {teacher}.
A text's vector is the mean of its tokens' rows, normalized; a text without tokens is the zero vector.

Made by

    {command}

{fit} The work is derived from the teacher: its licence and attribution apply.
"""


def write_folder(target: Path, rows: Floats, tokenizer: Tokenizer, storage: str, *, teacher: str, texts: int) -> float:
    """Write ``target`` atomically: a folder beside it is filled, then renamed. Returns the size in MB (10⁶ bytes)."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        (beside / "model.safetensors").write_bytes(save(tensors(rows, storage)))
        (beside / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
        (beside / "README.md").write_text(_card(rows, storage, teacher, texts), encoding="utf-8")
        _write_json(beside / "config_sentence_transformers.json", CONFIG)
        _write_json(beside / "modules.json", MODULES)  # last: no loader takes a folder without it
        size = sum(file.stat().st_size for file in beside.iterdir()) / 1e6
        beside.chmod(0o755)
        if target.exists():
            target.rmdir()
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return size


def tensors(rows: Floats, storage: str) -> dict[str, NDArray[Any]]:
    """``embedding.weight`` (vocabulary, dim), and for int8 ``embedding.scale`` (vocabulary,): row = weight × scale."""
    if storage == "float32":
        return {"embedding.weight": np.ascontiguousarray(rows, dtype=np.float32)}
    scale = np.abs(rows).max(axis=1) / 127
    scale[scale == 0] = 1
    weight = np.rint(rows / scale[:, None]).astype(np.int8)
    return {"embedding.weight": weight, "embedding.scale": scale.astype(np.float32)}


def _card(rows: Floats, storage: str, teacher: str, texts: int) -> str:
    command = f"edge-st export-static {teacher} OUT --dim {rows.shape[1]} --storage {storage}"
    fit = "Every vocabulary entry went through the teacher; then PCA and a weight by rank. No text was used."
    if texts:
        command += " --texts FILE"
        fit = f"The rows were then fitted to the teacher's vectors of {texts} texts."
    return CARD.format(
        teacher=teacher, vocabulary=len(rows), dim=rows.shape[1], storage=storage, command=command, fit=fit
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
