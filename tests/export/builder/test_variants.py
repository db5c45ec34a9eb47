"""What the settings of an architecture change in its graph, and the settings that are refused by name."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.numpy import load_file, save_file
from transformers import AlbertConfig, DebertaV2Config, ModernBertConfig
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

from edge_st_export.builder.conversion import convert_model
from edge_st_export.builder.reading import read_architecture
from edge_st_export.builder.relative_positions import logarithmic
from edge_st_runtime.errors import DamagedFileError, MissingFileError, UnsupportedModelError
from edge_st_runtime.model.route import TRANSFORMER, Route, read_route
from tests.export.builder.comparing import NEAR, difference, edit, same_graph
from tests.export.originals import SIZES, save_transformer
from tests.export.zoo.architectures import modern_bert
from tests.export.zoo.building import DISENTANGLED, DISENTANGLED_V3, but
from tests.export.zoo.examining import Zoo
from tests.export.zoo.gated_encoders import NewConfig, NewModel, NomicConfig, NomicModel

DEBERTA = {**SIZES, "max_position_embeddings": 64, **DISENTANGLED}
NATIVE_NOMIC = hasattr(transformers, "NomicBertConfig")
ALBERT = {**SIZES, "embedding_size": 16, "max_position_embeddings": 64, "pad_token_id": 0}
MODERN = modern_bert(64).to_dict()

VARIANTS: Mapping[str, Any] = {
    "ALBERT, groups": AlbertConfig(**but(ALBERT, num_hidden_layers=4, num_hidden_groups=2, inner_group_num=2)),
    "ALBERT, as wide as its embeddings": AlbertConfig(**but(ALBERT, embedding_size=32, hidden_act="relu")),
    "DeBERTa, apart": DebertaV2Config(**DEBERTA),
    "DeBERTa, buckets": DebertaV2Config(**but(DEBERTA, position_buckets=8, max_relative_positions=20)),
    "DeBERTa, to places": DebertaV2Config(**but(DEBERTA, pos_att_type=["c2p"], type_vocab_size=2)),
    "DeBERTa, from places": DebertaV2Config(**but(DEBERTA, pos_att_type="p2c", type_vocab_size=1)),
    "DeBERTa, projected": DebertaV2Config(**but(DEBERTA, **DISENTANGLED_V3, embedding_size=16)),
    "DeBERTa, absolute": DebertaV2Config(**but(DEBERTA, relative_attention=False)),
    "DeBERTa, a convolution": DebertaV2Config(**DEBERTA, conv_kernel_size=5, conv_groups=2, conv_act="gelu"),
    "ModernBERT, biases": ModernBertConfig(**but(MODERN, attention_bias=True, mlp_bias=True, norm_bias=True)),
    "ModernBERT, bases": ModernBertConfig(
        **but(MODERN, hidden_activation="silu", rope_parameters=None, global_rope_theta=900.0, local_rope_theta=30.0)
    ),
    "NomicBERT, biases": NomicConfig(qkv_proj_bias=True, mlp_fc1_bias=True, mlp_fc2_bias=True),
    "NomicBERT, GELU": NomicConfig(activation_function="geglu", type_vocab_size=1, rotary_emb_base=50),
    "NomicBERT, GLU": NomicConfig(activation_function="glu", type_vocab_size=0),
    "NomicBERT, no gate": NomicConfig(activation_function="gelu"),
    "GTE, unpacked": NewConfig(pack_qkv=False, type_vocab_size=2, hidden_act="silu"),
    "GTE, scaled": NewConfig(rope_scaling={"type": "ntk", "factor": 3.0}),
}
if hasattr(transformers, "GteConfig"):
    VARIANTS = {**VARIANTS, "GTE of transformers": transformers.GteConfig(**SIZES, type_vocab_size=1)}


ROTARY = {"full_attention": {"rope_theta": 700.0}, "sliding_attention": {"rope_theta": 50.0, "rope_type": "default"}}
#: endings of the names of a normalization and of a matrix
NORM_AND_MATRIX = {
    "modernbert": ("layers.1.attn_norm.weight", "layers.2.mlp.Wo.weight"),
    "deberta-v3": ("layer.1.attention.output.dense.bias", "layer.0.intermediate.dense.weight"),
    "gte": ("layer.1.mlp_ln.weight", "layer.0.attention.qkv_proj.weight"),
    "albert": ("full_layer_layer_norm.bias", "albert_layers.0.ffn.weight"),
}


def folder_route(folder: Path) -> Route:
    return read_route(folder, TRANSFORMER, folder, ())


@pytest.mark.parametrize("name", VARIANTS)
def test_variants(name: str, tmp_path: Path) -> None:
    config = VARIANTS[name]
    if NATIVE_NOMIC and isinstance(config, NomicConfig):
        pytest.skip("transformers 5 saves the weights of this model_type by other names than its own code has")
    own = {NomicConfig: {"model_class": NomicModel}, NewConfig: {"model_class": NewModel}}
    original = save_transformer(tmp_path, config=config, spread=0.3, **own.get(type(config), {}))
    convert_model(original, tmp_path / "out")
    assert difference(original, tmp_path / "out", "onnx", scores=False) <= NEAR


@pytest.mark.parametrize(
    ("config", "setting", "value"),
    [
        (NomicConfig(), "prenorm", True),
        (NomicConfig(), "causal", True),
        (NomicConfig(), "activation_function", "relu"),
        (NomicConfig(), "moe_every_n_layers", 2),
        (NomicConfig(), "rotary_emb_fraction", 0.5),
        (NomicConfig(), "rotary_emb_interleaved", True),
        (NomicConfig(), "rotary_scaling_factor", 2),
        (NewConfig(), "position_embedding_type", "absolute"),
        (NewConfig(), "layer_norm_type", "rms_norm"),
        (NewConfig(), "logn_attention_scale", True),
        (NewConfig(), "hidden_act", "selu"),
        (DebertaV2Config(**DEBERTA), "pos_att_type", ["p2p"]),
        (DebertaV2Config(**DEBERTA), "attention_head_size", 4),
        (ModernBertConfig(**MODERN), "hidden_activation", "selu"),
        (AlbertConfig(**ALBERT), "position_embedding_type", "relative_key"),
    ],
)
def test_settings_are_refused_by_name(config: Any, setting: str, value: Any, tmp_path: Path) -> None:
    config.save_pretrained(tmp_path)
    edit(tmp_path / "config.json", **{setting: value})
    with pytest.raises(UnsupportedModelError, match=rf"{setting} is .*edge-st export") as caught:
        read_architecture(folder_route(tmp_path))
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("scaling", [{"rope_type": "yarn", "factor": 4.0}, {"type": "dynamic", "factor": 2.0}])
def test_other_scaling_of_rotary_positions_is_refused(scaling: dict[str, Any], tmp_path: Path) -> None:
    NewConfig().save_pretrained(tmp_path)
    edit(tmp_path / "config.json", rope_scaling=scaling, rope_parameters=None)
    with pytest.raises(UnsupportedModelError, match=r"rotary positions is .*edge-st export"):
        read_architecture(folder_route(tmp_path))


def test_layers_that_do_not_fit(tmp_path: Path) -> None:
    ModernBertConfig(**MODERN).save_pretrained(tmp_path)
    edit(tmp_path / "config.json", layer_types=["full_attention", "sliding_attention"])
    with pytest.raises(DamagedFileError, match=r"layer_types is .*expected 3 of full_attention, sliding_attention"):
        read_architecture(folder_route(tmp_path))


def test_settings_of_transformers_4_and_5_are_the_same(tmp_path: Path) -> None:
    original = save_transformer(tmp_path, config=ModernBertConfig(**MODERN))
    older, newer = (Path(shutil.copytree(original, tmp_path / name)) for name in ("older", "newer"))
    new = {"layer_types": ["full_attention", "sliding_attention", "sliding_attention"], "rope_parameters": ROTARY}
    old = {"global_attn_every_n_layers": 3, "global_rope_theta": 700.0, "local_rope_theta": 50.0}
    edit(older / "config.json", **old, **dict.fromkeys(new))
    edit(newer / "config.json", **new, **dict.fromkeys(old))
    assert same_graph(older, newer, tmp_path)


@pytest.mark.parametrize(("buckets", "farthest"), [(256, 512), (32, 128), (16, 64), (10, 77)])
def test_logarithmic_distances(buckets: int, farthest: int) -> None:
    apart = np.arange(-2 * farthest, 2 * farthest + 1)
    wanted = make_log_bucket_position(torch.from_numpy(apart), buckets, farthest).numpy()
    assert np.array_equal(logarithmic(apart, buckets, farthest), wanted)


@pytest.mark.parametrize("name", ["modernbert", "deberta-v3", "gte", "albert"])
def test_weights_that_are_missing_or_do_not_fit(name: str, zoo: Zoo, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(zoo.original(name), tmp_path / "copy"))
    tensors = load_file(folder / "model.safetensors")
    norm, matrix = (next(each for each in sorted(tensors) if each.endswith(end)) for end in NORM_AND_MATRIX[name])
    save_file({each: tensors[each] for each in tensors if each not in (norm, matrix)}, folder / "model.safetensors")
    with pytest.raises(MissingFileError) as missing:
        convert_model(folder, tmp_path / "out")
    assert {norm, matrix} <= set(re.split(r"[ ,]+", str(missing.value)))
    save_file({**tensors, matrix: tensors[matrix][:, 1:].copy()}, folder / "model.safetensors")
    with pytest.raises(DamagedFileError, match=rf"{re.escape(matrix)} .* must be"):
        convert_model(folder, tmp_path / "out")
