"""Graphs that the builder wrote beside PyTorch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoModelForSequenceClassification

from edge_st_export.builder.conversion import convert_model
from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines.backend import EngineOptions, open_backend

#: of the largest value
NEAR = 1e-5
LENGTHS = (48, 1, 2, 17)
#: model_types that always take token_type_ids where they know several
TYPED = ("bert", "electra", "albert", "deberta-v2", "nomic_bert", "new")


def batch_of(folder: Path) -> TokenBatch:
    """Texts of several lengths, one with holes in its mask."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    random = np.random.default_rng(3)
    mask = np.array([[int(place < length) for place in range(LENGTHS[0])] for length in LENGTHS], dtype=np.int64)
    padding = config["pad_token_id"]
    ids = np.where(mask == 1, random.integers(5, config["vocab_size"], mask.shape), padding)
    types = mask * (np.arange(LENGTHS[0]) > 9) * (config["model_type"] in TYPED and config["type_vocab_size"] > 1)
    mask[0, 3:40:3] = 0
    return TokenBatch(ids, mask, types)


def in_torch(folder: Path, batch: TokenBatch, *, scores: bool) -> NDArray[np.float64]:
    """In float64: in float32 PyTorch's own rounding is 1e-5 here."""
    kind = AutoModelForSequenceClassification if scores else AutoModel
    model = kind.from_pretrained(folder, local_files_only=True, trust_remote_code=True).double().eval()
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    if batch.token_type_ids is not None and batch.token_type_ids.any():
        inputs["token_type_ids"] = batch.token_type_ids
    with torch.no_grad():
        found: Any = model(**{name: torch.from_numpy(ids) for name, ids in inputs.items()})
    values: NDArray[np.float64] = (found.logits if scores else found.last_hidden_state).numpy()
    return values


def difference(original: Path, out: Path, engine: str, *, scores: bool) -> float:
    """The largest difference from PyTorch, relative to the largest value above 1; of the tokens that the mask shows."""
    batch = batch_of(original)
    backend = open_backend(engine, out / "onnx/model.onnx", EngineOptions(num_threads=2, scores=scores))
    found, wanted = backend.run(batch), in_torch(original, batch, scores=scores)
    assert found.shape == wanted.shape
    shown = np.ones(len(found), bool) if scores else batch.attention_mask.astype(bool)
    return float(np.abs(found - wanted)[shown].max() / max(1.0, np.abs(wanted[shown]).max()))


def edit(path: Path, **changes: Any) -> None:
    """Change entries of a JSON file; None removes one."""
    content = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), encoding="utf-8")


def same_graph(original: Path, changed: Path, tmp_path: Path) -> bool:
    """Whether two folders become the same graph with the same weights."""
    files = []
    for name, folder in (("one", original), ("other", changed)):
        convert_model(folder, tmp_path / name)
        files.append([(tmp_path / name / f"onnx/model.onnx{end}").read_bytes() for end in ("", "_data")])
    return files[0] == files[1]
