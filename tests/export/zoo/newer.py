"""The zoo's architectures and settings that only transformers 5 and sentence-transformers 6 know."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from sentence_transformers import SparseEncoder
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from transformers import AutoConfig

from tests.export.originals import SIZES
from tests.export.zoo.building import (
    BPE_TOKENS,
    DECODER_SIZES,
    LEFT,
    NUMPY,
    WIDTH,
    XLM,
    Case,
    but,
    composed,
    saved,
)
from tests.export.zoo.sparse import masked
from tests.support.tiny_tokenizers import byte_bpe, wordpiece

IDS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
BYTES: Mapping[str, Any] = {"tokenizer": byte_bpe, "tokens": BPE_TOKENS}
LAST: Mapping[str, Any] = {
    "tokenizer": byte_bpe,
    "tokens": BPE_TOKENS | LEFT,
    "pooling": "lasttoken",
    "modules": lambda: (Normalize(),),
}


def of_kind(kind: str, sizes: Mapping[str, Any], **options: Any) -> Callable[[Path], Path]:
    """The builder of a transformer of this model_type, looked up when it is built: older versions lack it."""
    return lambda folder: saved(**{**options, "config": AutoConfig.for_model(kind, **IDS, **sizes)})(folder)


def fold_by_model2vec(folder: Path) -> None:
    """Store the table as Model2Vec does with a smaller vocabulary: rows, the row of each token, and its weight."""
    path = folder / "0_StaticEmbedding" / "model.safetensors"
    path = path if path.is_file() else folder / "model.safetensors"
    table = load_file(path)["embedding.weight"]
    random = np.random.default_rng(3)
    mapping = random.integers(0, len(table) // 2, len(table))
    weights = random.random(len(table), dtype=np.float32)
    save_file({"embeddings": table[: len(table) // 2].copy(), "mapping": mapping, "weights": weights}, path)


NEWER: Mapping[str, Case] = {
    "eurobert": Case("EuroBERT", "mean", of_kind("eurobert", DECODER_SIZES, **BYTES)),
    "jina-v3": Case(
        "Jina embeddings v3",
        "mean, Normalize",
        of_kind(
            "jina_embeddings_v3",
            {**SIZES, "max_position_embeddings": 64},
            **XLM,
            modules=lambda: (Normalize(),),
        ),
    ),
    "ministral3": Case(
        "Ministral 3, padded on the left", "lasttoken, Normalize", of_kind("ministral3", DECODER_SIZES, **LAST)
    ),
    "lfm2": Case(
        "LFM2, convolutions between attention",
        "mean",
        of_kind(
            "lfm2",
            {**but(DECODER_SIZES, num_hidden_layers=3), "layer_types": ["conv", "full_attention", "conv"]},
            **BYTES,
        ),
    ),
    "olmo3": Case(
        "OLMo 3 with a sliding window, padded on the left",
        "lasttoken, Normalize",
        of_kind(
            "olmo3",
            {**DECODER_SIZES, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]},
            **LAST,
        ),
    ),
    "llama": Case("Llama, padded on the left", "lasttoken, Normalize", of_kind("llama", DECODER_SIZES, **LAST)),
    "qwen2": Case("Qwen2, padded on the left", "lasttoken, Normalize", of_kind("qwen2", DECODER_SIZES, **LAST)),
    "static-folded": Case(
        "token vectors",
        "StaticEmbedding with Model2Vec's mapping and weights",
        composed(
            lambda _: [StaticEmbedding(wordpiece(), embedding_dim=WIDTH)],
            fold_by_model2vec,
        ),
        NUMPY,
    ),
}
#: by model_type, those that only the newest transformers knows, which optimum-intel does not take yet
NEWEST: Mapping[str, Case] = {
    "gte": Case("GTE", "cls", of_kind("gte", {**SIZES, "max_position_embeddings": 64}, **but(XLM, pooling="cls"))),
    "ultrabert": Case("UltraBERT, local attention", "mean", of_kind("ultrabert", DECODER_SIZES, **BYTES)),
}
NEWER_SPARSE: Mapping[str, Case] = {
    "splade-limited": Case(
        "BERT",
        "SpladePooling of maxima, max_active_dims",
        composed(masked, model_class=SparseEncoder, max_active_dims=24),
    ),
}
