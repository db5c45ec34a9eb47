"""Kinds of models: every pooling mode, every module, prompts, tokenizers, architectures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer as Peer
from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm, Normalize, StaticEmbedding
from transformers import (
    MistralConfig,
    MPNetConfig,
    PretrainedConfig,
    Qwen3Config,
    RobertaConfig,
    T5Config,
    T5EncoderModel,
)

from edge_st import SentenceTransformer
from edge_st_export import ExportReport, export_model
from edge_st_export.texts import ALL, GOLDEN
from edge_st_runtime.pooling import POOLING
from tests.export.originals import HIDDEN, SIZES, bert, cosine_min, load_original, save_original
from tests.tiny_tokenizers import byte_bpe, closing_bpe, wordpiece

GATE = 0.99999
BPE_TOKENS = {
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "model_input_names": ["input_ids", "attention_mask"],
}
ROBERTA = RobertaConfig(**SIZES, max_position_embeddings=66, pad_token_id=1)
DECODER = {"num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64}


def export_and_compare(original: Path, out: Path, **options: Any) -> ExportReport:
    """Export, and compare every float32 graph with the original once more, independently of the exporter."""
    report = export_model(original, out, quiet=True, **options)
    wanted = load_original(original).encode(list(ALL))
    for graph in report.graphs:
        if graph.dtype == "float32" and graph.engine != "numpy":
            model = SentenceTransformer(out, backend=graph.engine, model_kwargs={"file_name": graph.file})
            assert cosine_min(model.encode(list(ALL)), wanted) >= GATE, graph
    return report


@pytest.mark.parametrize("mode", [*POOLING, ("mean", "max", "cls")], ids=str)
def test_pooling(mode: str | tuple[str, ...], tmp_path: Path) -> None:
    original = save_original(tmp_path, pooling=mode)
    export_and_compare(original, tmp_path / "out", engines=["onnx"])


def test_modules_and_a_pickle_among_them(tmp_path: Path) -> None:
    dense = Dense(HIDDEN, 24, activation_function=torch.nn.GELU())
    original = save_original(tmp_path, dense, LayerNorm(24), Dense(24, 12, bias=False), Normalize())
    weights = original / "2_Dense" / "model.safetensors"
    torch.save(load_original(original)[2].state_dict(), weights.with_name("pytorch_model.bin"))
    weights.unlink()
    export_and_compare(original, tmp_path / "out", engines=["onnx"])
    assert (tmp_path / "out" / "2_Dense" / "model.safetensors").is_file()
    assert not list((tmp_path / "out").rglob("pytorch_model.bin"))


@pytest.mark.parametrize("include_prompt", [True, False])
def test_prompts(include_prompt: bool, tmp_path: Path) -> None:
    prompts = {"query": "the quick search: ", "document": ""}
    original = save_original(tmp_path, include_prompt=include_prompt, prompts=prompts)
    export_and_compare(original, tmp_path / "out", engines=["onnx"])
    peer, model = load_original(original), SentenceTransformer(tmp_path / "out", backend="onnx")
    assert model.prompts == peer.prompts
    assert cosine_min(model.encode_query(list(GOLDEN)), peer.encode_query(list(GOLDEN))) >= GATE


def test_padding_and_truncation_in_the_tokenizer_are_not_obeyed(tmp_path: Path) -> None:
    original = save_original(tmp_path)
    tokenizer = wordpiece()
    tokenizer.enable_padding(length=20, pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(10)
    tokenizer.save(str(original / "tokenizer.json"))
    export_and_compare(original, tmp_path / "out", engines=["onnx"])
    assert SentenceTransformer(tmp_path / "out").max_seq_length == 48


@pytest.mark.parametrize("side", ["right", "left"])
def test_fused_attention_is_right_on_either_side_of_padding(side: str, tmp_path: Path) -> None:
    tokens = BPE_TOKENS | {"padding_side": side}
    original = save_original(tmp_path, config=ROBERTA, tokenizer=byte_bpe(), tokens=tokens)
    report = export_and_compare(original, tmp_path / "out", engines=["onnx"], optimize="O2")
    assert {graph.file for graph in report.graphs} == {"onnx/model.onnx", "onnx/model_O2.onnx"}


ARCHITECTURES: Mapping[str, tuple[PretrainedConfig, Mapping[str, Any]]] = {
    "roberta": (ROBERTA, {"tokenizer": byte_bpe()}),
    "mpnet": (MPNetConfig(**SIZES, max_position_embeddings=66, pad_token_id=1), {"tokenizer": byte_bpe()}),
    "t5, the encoder alone": (
        T5Config(d_model=HIDDEN, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=410),
        {"tokenizer": byte_bpe(), "model_class": T5EncoderModel},
    ),
    "qwen3, padded on the left": (
        Qwen3Config(**SIZES, **DECODER),
        {"tokenizer": closing_bpe(), "pooling": "lasttoken", "padding_side": "left"},
    ),
    "mistral, which optimum-intel cannot convert": (MistralConfig(**SIZES, **DECODER), {"tokenizer": byte_bpe()}),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architecture(name: str, tmp_path: Path) -> None:
    config, options = ARCHITECTURES[name]
    side = {"padding_side": options["padding_side"]} if "padding_side" in options else {}
    others = {key: value for key, value in options.items() if key != "padding_side"}
    original = save_original(tmp_path, config=config, tokens=BPE_TOKENS | side, **others)
    report = export_and_compare(original, tmp_path / "out")
    assert {graph.engine for graph in report.graphs} == {"onnx", "openvino"}


def test_half_precision_originals_are_compared_in_float32(tmp_path: Path) -> None:
    original = save_original(tmp_path)
    load_original(original).half().save_pretrained(str(tmp_path / "half"))
    export_model(tmp_path / "half", tmp_path / "out", engines=["onnx"], quiet=True)
    wanted = load_original(tmp_path / "half").float().encode(list(ALL))
    assert cosine_min(SentenceTransformer(tmp_path / "out").encode(list(ALL)), wanted) >= GATE


def test_a_transformer_alone_gets_mean_pooling(tmp_path: Path) -> None:
    save_original(tmp_path, config=bert())
    export_and_compare(tmp_path / "transformer", tmp_path / "out", engines=["onnx"])


def test_a_static_model_is_copied_and_compared(tmp_path: Path) -> None:
    static = StaticEmbedding(wordpiece(), embedding_dim=16)
    Peer(modules=[static, Normalize()], device="cpu").save_pretrained(str(tmp_path / "original"))
    report = export_model(tmp_path / "original", tmp_path / "out", quiet=True)
    assert [graph.engine for graph in report.graphs] == ["numpy"]
    wanted = load_original(tmp_path / "original").encode(list(ALL))
    assert cosine_min(SentenceTransformer(tmp_path / "out").encode(list(ALL)), wanted) >= GATE
