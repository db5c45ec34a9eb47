"""Graphs written straight from safetensors: the hidden states and logits of the model in PyTorch."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

from edge_st.models.classes import open_model
from edge_st.verification.checks import compare
from edge_st_export.builder.conversion import convert_model
from edge_st_export.builder.relative_positions import bucket
from edge_st_export.original.loading import find_source, load_original
from edge_st_export.original.texts import ALL, PAIRS
from edge_st_export.original.unbatched import comparable
from edge_st_runtime.model.classes import CROSS_ENCODER
from tests.export.builder.comparing import NEAR, difference, same_graph
from tests.export.zoo.examining import Zoo

ENCODERS = (
    "bert",
    "roberta",
    "xlm-roberta",
    "camembert",
    "distilbert",
    "mpnet",
    "electra",
    "albert",
    "modernbert",
    "deberta-v3",
    "nomic",
    "gte",
)
CLASSIFIERS = (
    "bert",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "mpnet",
    "electra",
    "albert",
    "modernbert",
    "modernbert-mean",
    "deberta-v2",
    "deberta-v3",
    "nomic",
    "gte",
    "plain",
    "plain-half",
)


@pytest.mark.parametrize("name", [*ENCODERS, *(f"classifier-{name}" for name in CLASSIFIERS)])
def test_every_architecture(name: str, engine: str, zoo: Zoo, tmp_path: Path) -> None:
    original, out = zoo.original(name), tmp_path / "out"
    made = convert_model(original, out)
    assert not (out / "edge_st.json").exists()
    assert difference(original, out, engine, scores=made.model_type == CROSS_ENCODER) <= NEAR


@pytest.mark.parametrize("name", ["mpnet", "classifier-short-roberta", "many-modules", "old-layout", "half"])
def test_the_folder_gives_the_originals_outputs(name: str, zoo: Zoo, tmp_path: Path) -> None:
    original, out = zoo.original(name), tmp_path / "out"
    made = convert_model(original, out)
    model, peer = open_model(out), load_original(find_source(original, None, None), trust_remote_code=False)
    texts = PAIRS if made.model_type == CROSS_ENCODER else ALL
    rows = compare(model, *comparable(peer, texts, model.tasks))
    assert rows
    assert [row for row in rows if not row.equal] == []


def test_the_real_model(real_folder: Path, engine: str, tmp_path: Path) -> None:
    convert_model(real_folder, tmp_path / "out")
    assert difference(real_folder, tmp_path / "out", engine, scores=False) <= NEAR


def test_buckets_of_distances() -> None:
    distances = np.arange(-600, 601)
    wanted = MPNetEncoder.relative_position_bucket(torch.from_numpy(distances), num_buckets=32).numpy()
    assert np.array_equal(bucket(distances, 32), wanted)


def test_prefix_old_names_and_other_tensors(small_folder: Path, small_copy: Path, tmp_path: Path) -> None:
    tensors = load_file(small_copy / "model.safetensors")
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    for ending, before in old.items():
        tensors = {name.replace(ending, before): tensor for name, tensor in tensors.items()}
    renamed = {f"bert.{name}": tensor for name, tensor in tensors.items()}
    save_file({**renamed, "cls.predictions.bias": np.zeros(3, np.float32)}, small_copy / "model.safetensors")
    assert same_graph(small_folder, small_copy, tmp_path)


def test_sharded_weights(small_folder: Path, small_copy: Path, tmp_path: Path) -> None:
    tensors = load_file(small_copy / "model.safetensors")
    (small_copy / "model.safetensors").unlink()
    places = {name: f"model-0000{1 + place % 2}-of-00002.safetensors" for place, name in enumerate(tensors)}
    for file in set(places.values()):
        save_file({name: tensors[name] for name in tensors if places[name] == file}, small_copy / file)
    (small_copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}), encoding="utf-8")
    assert same_graph(small_folder, small_copy, tmp_path)


def test_bfloat16(small_folder: Path, small_copy: Path, tmp_path: Path) -> None:
    rounded = {
        name: torch.from_numpy(tensor).bfloat16()
        for name, tensor in load_file(small_folder / "model.safetensors").items()
    }
    save_torch(rounded, small_copy / "model.safetensors")
    widened = Path(shutil.copytree(small_copy, tmp_path / "widened"))
    save_torch({name: tensor.float() for name, tensor in rounded.items()}, widened / "model.safetensors")
    assert same_graph(widened, small_copy, tmp_path)
