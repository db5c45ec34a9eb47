"""Write a static embedding in the folder layout of sentence-transformers' StaticEmbedding."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save
from tokenizers import Tokenizer

from edge_st_runtime.arrays import Floats

from .quality import Quality

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

{fit}

{quality}

The work is derived from the teacher: its licence and attribution apply.
"""


def write_model(folder: Path, rows: Floats, tokenizer: Tokenizer, storage: str) -> None:
    """Write what a loader needs into the empty ``folder``; ``rows`` is (vocabulary, dim)."""
    (folder / "model.safetensors").write_bytes(save(tensors(rows, storage)))
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    _write_json(folder / "config_sentence_transformers.json", CONFIG)
    _write_json(folder / "modules.json", MODULES)


def tensors(rows: Floats, storage: str) -> dict[str, NDArray[Any]]:
    """``embedding.weight`` (vocabulary, dim), and for int8 ``embedding.scale`` (vocabulary,): row = weight × scale."""
    if storage == "float32":
        return {"embedding.weight": np.ascontiguousarray(rows, dtype=np.float32)}
    scale = np.abs(rows).max(axis=1) / 127
    scale[scale == 0] = 1
    weight = np.rint(rows / scale[:, None]).astype(np.int8)
    return {"embedding.weight": weight, "embedding.scale": scale.astype(np.float32)}


def write_card(folder: Path, shape: tuple[int, ...], storage: str, teacher: str, texts: int, quality: Quality) -> None:
    """Say how the table of this ``shape`` was made and what it is worth, for people and for programs."""
    vocabulary, dim = shape
    command = f"edge-st distill {teacher} OUT --dim {dim} --storage {storage}"
    fit = "Every vocabulary entry went through the teacher; then PCA and a weight by rank. No text was used."
    if texts:
        command += " --texts FILE"
        fit = f"The rows were then fitted to the teacher's vectors of {texts} texts."
    card = CARD.format(
        teacher=teacher, vocabulary=vocabulary, dim=dim, storage=storage, command=command, fit=fit,
        quality="\n".join(f"    {name:<28}{value}" for name, value in quality.facts()),
    )  # fmt: skip
    (folder / "README.md").write_text(card, encoding="utf-8")
    made = {"teacher": teacher, "vocabulary": vocabulary, "dim": dim, "storage": storage, "texts": texts}
    _write_json(folder / "distillation.json", {**made, "quality": quality.entry()})


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
