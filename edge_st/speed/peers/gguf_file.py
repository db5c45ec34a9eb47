"""Write a BERT model from safetensors as a GGUF file for llama.cpp, as llama.cpp's own converter does."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from .model_files import pools_first

#: llama.cpp always reads these as float32
_EXACT = ("token_types", "position_embd")
_SPACE = "\u2581"


def write_gguf(original: Path, target: Path, kind: str) -> None:
    """Write ``original``, a BertModel with a WordPiece tokenizer, with its matrices as ``kind``: "F32" or "Q8_0"."""
    from safetensors.numpy import load_file

    config = json.loads((original / "config.json").read_text(encoding="utf-8"))
    writer = gguf.GGUFWriter(target, "bert")
    _settings(writer, config, original, kind)
    _vocabulary(writer, config, original)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
    for found, values in sorted(load_file(original / "model.safetensors").items()):
        name = found.removeprefix("bert.").removeprefix("0.auto_model.")
        if name.startswith("pooler.") or name == "embeddings.position_ids":
            continue
        _tensor(writer, names.get_name(name, (".weight", ".bias")), values, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _settings(writer: Any, config: Mapping[str, Any], original: Path, kind: str) -> None:
    writer.add_name(original.name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if kind == "Q8_0" else gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.CLS if pools_first(original) else gguf.PoolingType.MEAN)


def _vocabulary(writer: Any, config: Mapping[str, Any], original: Path) -> None:
    """Write the vocabulary. Tokens that begin a word get a mark, others get none: the reverse of WordPiece."""
    model = json.loads((original / "tokenizer.json").read_text(encoding="utf-8"))
    ids = model["model"]["vocab"]
    tokens = sorted(ids, key=ids.__getitem__)
    special = {added["content"] for added in model["added_tokens"] if added["special"]}
    marked = [
        token if token in special else token[2:] if token.startswith("##") else _SPACE + token for token in tokens
    ]
    kinds = [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens]
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(marked)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(ids["[CLS]"])
    writer.add_eos_token_id(ids["[SEP]"])
    writer.add_unk_token_id(ids["[UNK]"])
    writer.add_sep_token_id(ids["[SEP]"])
    writer.add_pad_token_id(ids["[PAD]"])
    writer.add_mask_token_id(ids["[MASK]"])


def _tensor(writer: Any, name: str, values: Any, kind: str) -> None:
    values = values.astype(np.float32)
    if kind == "F32" or values.ndim == 1 or name.startswith(_EXACT):
        writer.add_tensor(name, values)
    else:
        form = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(values, form), raw_dtype=form)
