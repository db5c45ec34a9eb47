"""Qwen3, Gemma 3 and T5's encoder, written straight from safetensors: the hidden states of the model in PyTorch."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from packaging.version import Version
from safetensors.numpy import load_file, save_file
from transformers import (
    Gemma3TextConfig,
    MT5Config,
    MT5EncoderModel,
    Qwen3Config,
    T5Config,
    T5EncoderModel,
)
from transformers.models.t5.modeling_t5 import T5Attention

from edge_st_export.builder.conversion import convert_model
from edge_st_export.builder.relative_positions import bucket
from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.errors import DamagedFileError, MissingFileError, UnsupportedModelError
from tests.export.builder.in_torch import LENGTHS, NEAR, apart, in_double, opened, padded
from tests.export.originals import save_transformer
from tests.export.zoo.building import DECODER_SIZES, EOS_TOKENS, LEFT, but
from tests.support.made_once import MadeOnce
from tests.support.tiny_tokenizers import closing_bpe

LINEAR = {"rope_type": "linear", "factor": 4.0}
QWEN3: Mapping[str, Any] = but(DECODER_SIZES, max_position_embeddings=1024, pad_token_id=1)
SLIDING = but(QWEN3, use_sliding_window=True, sliding_window=8, max_window_layers=1)
GEMMA3: Mapping[str, Any] = but(
    DECODER_SIZES,
    max_position_embeddings=1024,
    num_hidden_layers=3,
    sliding_window=16,
    layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    query_pre_attn_scalar=20,
)
T5: Mapping[str, Any] = {"d_model": 32, "d_kv": 12, "d_ff": 48, "num_layers": 2, "num_heads": 4, "vocab_size": 410}
MODELS: Mapping[str, Mapping[str, Any]] = {
    "qwen3": {"config": Qwen3Config(**QWEN3)},
    "qwen3-sliding": {"config": Qwen3Config(**SLIDING)},
    "qwen3-biases": {"config": Qwen3Config(**QWEN3, attention_bias=True, rope_scaling=dict(LINEAR))},
    "qwen3-heads": {"config": Qwen3Config(**but(QWEN3, num_key_value_heads=4, head_dim=16, rope_theta=5e5))},
    "gemma3": {"config": Gemma3TextConfig(**GEMMA3, use_bidirectional_attention=True)},
    "gemma3-causal": {"config": Gemma3TextConfig(**GEMMA3, rope_scaling=dict(LINEAR))},
    "t5": {"config": T5Config(**T5), "model_class": T5EncoderModel},
    "t5-gated": {"config": T5Config(**T5, feed_forward_proj="gated-gelu"), "model_class": T5EncoderModel},
    "t5-silu": {"config": T5Config(**T5, feed_forward_proj="gated-silu"), "model_class": T5EncoderModel},
    "mt5": {
        "config": MT5Config(**T5, relative_attention_num_buckets=20, relative_attention_max_distance=50),
        "model_class": MT5EncoderModel,
    },
}
Original = Callable[[str], Path]


@pytest.fixture
def original(once: MadeOnce) -> Original:
    """A plain transformer of `MODELS`; nobody may change it."""

    def made(name: str) -> Path:
        spread = 0.1 if "t5" in name else 0.4  # T5 does not divide by the root, so float32's rounding grows more
        options = {"tokenizer": closing_bpe, "tokens": EOS_TOKENS | LEFT, "spread": spread, **MODELS[name]}
        path: Path = once(f"decoder-{name}", lambda folder: save_transformer(folder, **options))
        return path

    return made


@pytest.fixture
def copy(original: Original, tmp_path: Path) -> Original:
    """A copy of it, which a test may change."""
    return lambda name: Path(shutil.copytree(original(name), tmp_path / name))


def edit(folder: Path, *dropped: str, **changes: Any) -> None:
    path = folder / "config.json"
    kept = {key: value for key, value in json.loads(path.read_text()).items() if key not in dropped}
    path.write_text(json.dumps({**kept, **changes}))


@pytest.mark.parametrize("name", MODELS)
def test_every_architecture(name: str, engine: str, original: Original, tmp_path: Path) -> None:
    convert_model(original(name), tmp_path / "out")
    backend = opened(engine, tmp_path / "out")
    for side in ("left", "right"):
        batch = padded(LENGTHS, side)
        found, wanted, shown = backend.run(batch), in_double(original(name), batch), batch.attention_mask == 1
        assert apart(found[shown], wanted[shown]) <= NEAR
        assert np.isfinite(found).all()


@pytest.mark.parametrize("name", ["qwen3", "qwen3-sliding", "gemma3", "t5"])
def test_a_long_text(name: str, engine: str, original: Original, tmp_path: Path) -> None:
    """Longer than any window and bucket, and with its attention in blocks."""
    convert_model(original(name), tmp_path / "out")
    batch = padded([900], "right", holes=False)
    assert apart(opened(engine, tmp_path / "out").run(batch), in_double(original(name), batch)) <= NEAR


@pytest.mark.parametrize("name", ["qwen3-sliding", "gemma3", "t5"])
def test_neighbours_and_empty_texts_change_nothing(name: str, engine: str, original: Original, tmp_path: Path) -> None:
    convert_model(original(name), tmp_path / "out")
    backend, batch = opened(engine, tmp_path / "out"), padded(LENGTHS, "left", holes=False)
    batch.attention_mask[1] = 0
    together = backend.run(batch)
    assert np.isfinite(together).all()
    alone = backend.run(TokenBatch(batch.input_ids[3:, -17:], batch.attention_mask[3:, -17:]))
    np.testing.assert_allclose(together[3:, -17:], alone, rtol=0, atol=2e-5)


@pytest.mark.skipif(Version(transformers.__version__) < Version("5.2"), reason="all Qwen3 is causal before")
def test_a_qwen3_that_sees_all(engine: str, copy: Original, tmp_path: Path) -> None:
    folder, batch = copy("qwen3"), padded(LENGTHS, "left")
    edit(folder, is_causal=False)
    convert_model(folder, tmp_path / "out")
    shown = batch.attention_mask == 1
    assert apart(opened(engine, tmp_path / "out").run(batch)[shown], in_double(folder, batch)[shown]) <= NEAR


IN_4 = {
    "qwen3-biases": {"rope_theta": 1e4, "rope_scaling": {"type": "linear", "factor": 4.0}},
    "gemma3-causal": {
        "rope_theta": 1e6,
        "rope_local_base_freq": 1e4,
        "rope_scaling": {"rope_type": "linear", "factor": 4.0},
    },
}
DEFAULT = {"rope_type": "default", "rope_theta": 1e4}
IN_5 = {
    "qwen3-biases": {"rope_parameters": {**LINEAR, "rope_theta": 1e4}},
    "gemma3-causal": {
        "rope_parameters": {"full_attention": {**LINEAR, "rope_theta": 1e6}, "sliding_attention": DEFAULT}
    },
}


@pytest.mark.parametrize("name", IN_4)
def test_settings_of_transformers_4_and_5(name: str, copy: Original, tmp_path: Path) -> None:
    folder = copy(name)
    written = {}
    for said in (IN_4, IN_5):
        edit(folder, "rope_theta", "rope_local_base_freq", "rope_scaling", "rope_parameters", **said[name])
        convert_model(folder, tmp_path / "out", force=True)
        written[str(said)] = (tmp_path / "out/onnx/model.onnx_data").read_bytes()
    assert len(set(written.values())) == 1
    edit(folder, "rope_theta", "rope_local_base_freq", "rope_scaling", "rope_parameters")
    convert_model(folder, tmp_path / "out", force=True)
    assert (tmp_path / "out/onnx/model.onnx_data").read_bytes() not in written.values()


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("qwen3-sliding", {"max_window_layers": 1}), ("gemma3", {"sliding_window_pattern": 2})],
)
def test_layers_by_a_pattern(name: str, pattern: dict[str, Any], copy: Original, tmp_path: Path) -> None:
    folder = copy(name)
    convert_model(folder, tmp_path / "named")
    edit(folder, "layer_types", **pattern)
    convert_model(folder, tmp_path / "out")
    graphs = [(tmp_path / out / "onnx/model.onnx").read_bytes() for out in ("named", "out")]
    assert graphs[0] == graphs[1]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("qwen3", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}}, "'yarn'"),
        ("qwen3", {"hidden_act": "selu"}, "hidden_act is 'selu'"),
        ("qwen3", {"layer_types": ["full_attention", "chunked_attention"]}, "layer_types has 'chunked_attention'"),
        ("qwen3-sliding", {"is_causal": False}, "layer_types has 'sliding_attention'"),
        ("gemma3", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping is 50.0"),
        ("gemma3", {"is_causal": False}, "is_causal is False"),
        ("t5", {"feed_forward_proj": "gated-selu"}, "feed_forward_proj is 'gated-selu'"),
    ],
)
def test_settings_are_refused_by_name(
    name: str, change: dict[str, Any], said: str, copy: Original, tmp_path: Path
) -> None:
    folder = copy(name)
    edit(folder, **change)
    with pytest.raises(UnsupportedModelError, match=rf"{re.escape(said)}.*edge-st export"):
        convert_model(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_few_types_of_layers(copy: Original, tmp_path: Path) -> None:
    folder = copy("gemma3")
    edit(folder, layer_types=["full_attention"])
    with pytest.raises(DamagedFileError, match="layer_types has 1 entries for 3 layers"):
        convert_model(folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("qwen3", ["layers.1.self_attn.q_norm.weight", "norm.weight"]),
        ("gemma3", ["layers.2.post_feedforward_layernorm.weight"]),
        ("t5-gated", ["encoder.block.1.layer.1.DenseReluDense.wi_1.weight", "encoder.final_layer_norm.weight"]),
    ],
)
def test_missing_weights_are_named(name: str, missing: list[str], copy: Original, tmp_path: Path) -> None:
    folder = copy(name)
    tensors = load_file(folder / "model.safetensors")
    for each in missing:
        del tensors[each]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(MissingFileError, match=re.escape(", ".join(missing))):
        convert_model(folder, tmp_path / "out")


def test_other_names_of_the_same_weights(original: Original, copy: Original, tmp_path: Path) -> None:
    """As a causal language model and a whole T5 call them."""
    for name, old, new in (("qwen3", "", "model."), ("t5", "shared.", "encoder.embed_tokens.")):
        folder = copy(name)
        tensors = load_file(folder / "model.safetensors")
        renamed = {new + key.removeprefix(old) if key.startswith(old) else key: each for key, each in tensors.items()}
        save_file(renamed | {"lm_head.weight": np.ones((2, 2), np.float32)}, folder / "model.safetensors")
        batch = padded([9], "right", holes=False)
        found = []
        for place, each in enumerate((original(name), folder)):
            convert_model(each, tmp_path / f"{name}-{place}")
            found.append(opened("onnx", tmp_path / f"{name}-{place}").run(batch))
        np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(("buckets", "farthest"), [(32, 128), (20, 50)])
def test_buckets_of_distances(buckets: int, farthest: int) -> None:
    distances = np.arange(-600, 601)
    wanted = T5Attention._relative_position_bucket(
        torch.from_numpy(distances), num_buckets=buckets, max_distance=farthest
    )
    assert np.array_equal(bucket(distances, buckets, farthest), wanted.numpy())
