"""Small random models of every class with matmuls that are large enough for int8."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from sentence_transformers import CrossEncoder, SparseEncoder
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import (
    AlbertConfig,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
    T5Config,
    T5EncoderModel,
)

from tests.export.originals import BERT_TOKENS
from tests.export.zoo.architectures import bert_unigram
from tests.export.zoo.building import BPE_TOKENS, DISENTANGLED_V3, IDS_AND_MASK, T5_TOKENS, composed, saved, transformer
from tests.support.tiny_tokenizers import byte_bpe, unigram

Build: TypeAlias = Callable[[Path], Path]
HIDDEN, FEED_FORWARD, LAYERS = 64, 128, 2
SPREAD = 0.1
SIZES: Mapping[str, Any] = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": FEED_FORWARD,
    "vocab_size": 410,
    "max_position_embeddings": 66,
}
BERT: Mapping[str, Any] = {"config": BertConfig(**SIZES)}
ROBERTA: Mapping[str, Any] = {
    "config": RobertaConfig(**SIZES, pad_token_id=1),
    "tokenizer": byte_bpe,
    "tokens": BPE_TOKENS,
}
MODERN = ModernBertConfig(
    **SIZES,
    local_attention=16,
    global_attn_every_n_layers=2,
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 1),
)


def dense(**options: Any) -> Build:
    return saved(spread=SPREAD, **options)


def two_routes(folder: Path) -> list[Any]:
    routes = {
        "query": [transformer(folder, spread=SPREAD, **BERT), Pooling(HIDDEN)],
        "document": [transformer(folder, name="other", spread=SPREAD, **ROBERTA), Pooling(HIDDEN, "cls")],
    }
    return [Router(routes, default_route="document"), Dense(HIDDEN, 16), Normalize()]


def splade(folder: Path) -> list[Any]:
    first = transformer(folder, "fill-mask", spread=SPREAD, model_class=AutoModelForMaskedLM.from_config, **BERT)
    return [first, SpladePooling()]


def classifier(folder: Path) -> list[Any]:
    head = AutoModelForSequenceClassification.from_config
    config = BertConfig(**SIZES, num_labels=1)
    return [transformer(folder, "sequence-classification", spread=SPREAD, config=config, model_class=head)]


MODELS: Mapping[str, Build] = {
    "bert": dense(**BERT),
    "roberta": dense(**ROBERTA),
    "mpnet": dense(**{**ROBERTA, "config": MPNetConfig(**SIZES, pad_token_id=1)}),
    "distilbert": dense(
        config=DistilBertConfig(
            vocab_size=410, dim=HIDDEN, n_layers=LAYERS, n_heads=4, hidden_dim=FEED_FORWARD, max_position_embeddings=66
        ),
        tokens={**BERT_TOKENS, **IDS_AND_MASK},
    ),
    "albert": dense(config=AlbertConfig(**SIZES, embedding_size=HIDDEN, pad_token_id=0), tokenizer=bert_unigram),
    "t5": dense(
        config=T5Config(d_model=HIDDEN, d_kv=16, d_ff=FEED_FORWARD, num_layers=LAYERS, num_heads=4, vocab_size=410),
        model_class=T5EncoderModel,
        tokenizer=lambda: unigram(("<pad>", "</s>", "<unk>"), "$A </s>"),
        tokens=T5_TOKENS,
    ),
    "modernbert": dense(config=MODERN, tokenizer=byte_bpe, tokens=BPE_TOKENS),
    "deberta": dense(
        config=DebertaV2Config(**SIZES, **DISENTANGLED_V3),
        tokenizer=bert_unigram,
    ),
    "router": composed(two_routes),
    "splade": composed(splade, model_class=SparseEncoder),
    "cross-encoder": composed(classifier, model_class=CrossEncoder),
}
