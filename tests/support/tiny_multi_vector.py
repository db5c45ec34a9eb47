"""Tiny multi-vector (ColBERT-like) model folders, as sentence-transformers 6 writes them."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st import MultiVectorEncoder
from tests.support.tiny_graphs import HIDDEN
from tests.support.tiny_models import write_json, write_safetensors

DIM = 8
#: punctuation that the tiny tokenizer has as tokens of its own
PUNCTUATION = ("'", "-", ".")
#: as `PUNCTUATION`, and what the tokenizer puts around a text: nothing is left of a text such as "."
ALL_OF_A_DOT = (*PUNCTUATION, "[CLS]", "[SEP]")
FIXED: Mapping[str, Any] = {"strategy": "fixed", "attend": False, "token": None, "length": 12}
_KINDS = {
    "Transformer": "base.modules.transformer",
    "Dense": "base.modules.dense",
    "MultiVectorMask": "multi_vector_encoder.modules.multi_vector_mask",
    "Normalize": "base.modules.normalize",
}
_TOKENS = "token_embeddings"
TEXTS = ["hello world", "one two - three. four", "a"]
LONG = "one two three four five six seven eight nine ten " * 4


def save_multi_vector(
    folder: Path,
    source: Path,
    *,
    query_length: int | None = None,
    document_length: int | None = None,
    query_expansion: Mapping[str, Any] | None = FIXED,
    skiplist_words: Sequence[str] = PUNCTUATION,
    skiplist_tasks: Sequence[str] = ("document",),
    similarity: str | None = None,
    prompts: Mapping[str, str] | None = None,
    weight: NDArray[np.float32] | None = None,
) -> Path:
    """Write to ``folder`` the transformer of the folder ``source`` as a MultiVectorEncoder of 8 dimensions.

    Its modules are the transformer, a Dense of ``weight`` (dim, hidden) on the tokens, a MultiVectorMask and a
    Normalize. ``source`` is a folder of `TinyModel.save`, whose own modules after the transformer are left out.
    """
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("[0-9]_*", "edge_st.json"))
    kinds = list(_KINDS)
    write_json(folder / "modules.json", [_entry(number, kind) for number, kind in enumerate(kinds)])
    config = _read(source / "sentence_bert_config.json")
    lengths = {"query_length": query_length, "document_length": document_length, "query_expansion": query_expansion}
    given = {name: value for name, value in lengths.items() if value is not None}
    write_json(folder / "sentence_bert_config.json", config | given)
    tokens = {"mask_token": "[MASK]", "unk_token": "[UNK]"}
    write_json(folder / "tokenizer_config.json", tokens | _read(source / "tokenizer_config.json"))
    settings = {
        "model_type": "MultiVectorEncoder",
        "prompts": dict(prompts or {}),
        "default_prompt_name": None,
        "similarity_fn_name": similarity,
    }
    write_json(folder / "config_sentence_transformers.json", settings)
    weight = dense_weight() if weight is None else weight
    described = {
        "in_features": weight.shape[1],
        "out_features": weight.shape[0],
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
        "module_input_name": _TOKENS,
        "module_output_name": _TOKENS,
    }
    write_json(folder / "1_Dense" / "config.json", described)
    write_safetensors(folder / "1_Dense" / "model.safetensors", {"linear.weight": weight})
    mask = {
        "skiplist_words": list(skiplist_words),
        "skiplist_tasks": list(skiplist_tasks),
        "keep_only_token_ids": None,
    }
    write_json(folder / "2_MultiVectorMask" / "config.json", mask)
    names = {"module_input_name": _TOKENS, "module_output_name": _TOKENS}
    write_json(folder / "3_Normalize" / "config.json", names)
    return folder


def dense_weight(dim: int = DIM, hidden: int = HIDDEN, seed: int = 3) -> NDArray[np.float32]:
    """Random weights (dim, hidden) of the Dense module."""
    return np.random.default_rng(seed).standard_normal((dim, hidden)).astype(np.float32)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _entry(number: int, kind: str) -> dict[str, Any]:
    path = "" if number == 0 else f"{number}_{kind}"
    name = f"sentence_transformers.{_KINDS[kind]}.{kind}"
    return {"idx": number, "name": str(number), "path": path, "type": name}


class Folders:
    """Multi-vector folders and the models that open them, by their settings."""

    def __init__(self, source: Path, place: Path, engine: str) -> None:
        self.source, self.place, self.engine = source, place, engine

    def folder(self, **settings: Any) -> Path:
        return save_multi_vector(self.place / str(len(list(self.place.iterdir()))), self.source, **settings)

    def __call__(self, options: Mapping[str, Any] | None = None, **settings: Any) -> MultiVectorEncoder:
        return MultiVectorEncoder(self.folder(**settings), backend=self.engine, num_threads=1, **(options or {}))


def lengths(found: list[Any]) -> list[int]:
    return [len(each) for each in found]


def tokens(model: MultiVectorEncoder, text: str) -> int:
    """How many tokens a text has, with those around it."""
    return int(model.count_tokens(text))
