"""The zoo's architectures."""

from collections.abc import Mapping
from typing import Any

import transformers
from sentence_transformers.sentence_transformer.modules import Dense, Normalize
from tokenizers import Tokenizer
from torch import nn
from transformers import (
    AlbertConfig,
    CamembertConfig,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizerFast,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    MistralConfig,
    ModernBertConfig,
    MPNetConfig,
    PretrainedConfig,
    T5Config,
    T5EncoderModel,
    XLMRobertaConfig,
)

from tests.export.originals import BERT_TOKENS, HIDDEN, SIZES
from tests.export.zoo.building import (
    BPE_TOKENS,
    DECODER_SIZES,
    DISENTANGLED_V3,
    EOS_TOKENS,
    GEMMA_TOKENS,
    IDS_AND_MASK,
    LEFT,
    QWEN3,
    RIGHT,
    ROBERTA,
    ROBERTA_SIZES,
    T5_TOKENS,
    XLM,
    Case,
    but,
    into_subfolder,
    saved,
)
from tests.export.zoo.gated_encoders import NewConfig, NewModel, NomicConfig, NomicModel
from tests.export.zoo.rotary_encoder import RotaryConfig, RotaryModel
from tests.support.tiny_tokenizers import byte_bpe, clip_bpe, unigram

LONG = "the quick brown " * 900


def bert_unigram() -> Tokenizer:
    """ALBERT's and DeBERTa's."""
    return unigram(("[PAD]", "[UNK]", "[CLS]", "[SEP]"), "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")


CLIP: dict[str, Any] = {
    "config": CLIPConfig(
        text_config=but(SIZES, max_position_embeddings=64, eos_token_id=2),
        vision_config=dict(list(SIZES.items())[:-1]) | {"image_size": 8, "patch_size": 4},
        projection_dim=24,
    ),
    "model_class": CLIPModel,
    "tokenizer": clip_bpe,
    "processor": lambda tokenizer: CLIPProcessor(
        CLIPImageProcessor(size=8, crop_size=8), CLIPTokenizerFast(tokenizer_object=tokenizer)
    ),
    "pooling": None,
}


def modern_bert(positions: int) -> PretrainedConfig:
    return ModernBertConfig(
        **but(SIZES, num_hidden_layers=3),
        max_position_embeddings=positions,
        local_attention=16,
        global_attn_every_n_layers=3,
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 1),
    )


#: NomicBERT as transformers 5 has it, which mistakes the weights of its own code for those; before, with its own code
NOMIC: dict[str, Any] = (
    {"config": transformers.NomicBertConfig(**SIZES, max_position_embeddings=4096)}
    if hasattr(transformers, "NomicBertConfig")
    else {"config": NomicConfig(), "model_class": NomicModel}
)


ARCHITECTURES: Mapping[str, Case] = {
    "bert": Case("BERT", "mean", saved()),
    "roberta": Case("RoBERTa", "mean", saved(**ROBERTA)),
    "xlm-roberta": Case("XLM-RoBERTa, Unigram", "mean", saved(**XLM)),
    "camembert": Case("CamemBERT, Unigram", "mean", saved(**but(XLM, config=CamembertConfig(**ROBERTA_SIZES)))),
    "distilbert": Case(
        "DistilBERT",
        "mean",
        saved(
            config=DistilBertConfig(
                vocab_size=410, dim=HIDDEN, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=64
            ),
            tokens={**BERT_TOKENS, **IDS_AND_MASK},
        ),
    ),
    "mpnet": Case("MPNet", "mean", saved(**but(ROBERTA, config=MPNetConfig(**ROBERTA_SIZES)))),
    "albert": Case(
        "ALBERT, Unigram",
        "mean",
        saved(
            config=AlbertConfig(**SIZES, embedding_size=16, max_position_embeddings=64, pad_token_id=0),
            tokenizer=bert_unigram,
        ),
    ),
    "deberta-v3": Case(
        "DeBERTa-v3, Unigram",
        "mean",
        saved(
            config=DebertaV2Config(**SIZES, max_position_embeddings=64, **DISENTANGLED_V3),
            tokenizer=bert_unigram,
        ),
    ),
    "electra": Case(
        "ELECTRA",
        "cls",
        saved(config=ElectraConfig(**SIZES, embedding_size=16, max_position_embeddings=64), pooling="cls"),
    ),
    "modernbert": Case(
        "ModernBERT, local attention",
        "mean",
        saved(config=modern_bert(64), tokenizer=byte_bpe, tokens=BPE_TOKENS),
    ),
    "modernbert-8192": Case(
        "ModernBERT, local attention, 8192 positions",
        "cls, Normalize",
        saved(
            config=modern_bert(8192),
            spread=0.25,  # with more, float32's rounding between batches grows beyond test_zoo's ROUNDING
            tokenizer=byte_bpe,
            tokens=BPE_TOKENS,
            pooling="cls",
            modules=lambda: (Normalize(),),
            limit=None,
        ),
        long_text=LONG,
    ),
    "custom-code": Case(
        "code of its own, rotary positions",
        "mean",
        saved(config=RotaryConfig(), model_class=RotaryModel, trust_remote_code=True, limit=4096),
        long_text=LONG,
        trust_remote_code=True,
    ),
    "nomic": Case(
        "NomicBERT",
        "mean",
        saved(**NOMIC, spread=0.1, trust_remote_code=True, limit=4096),
        long_text=LONG,
        trust_remote_code=True,
    ),
    "gte": Case(
        "GTE, code of its own",
        "cls, Normalize",
        saved(
            config=NewConfig(type_vocab_size=1, rope_scaling={"type": "ntk", "factor": 8.0}),
            model_class=NewModel,
            spread=0.1,
            pooling="cls",
            modules=lambda: (Normalize(),),
            trust_remote_code=True,
            limit=4096,
        ),
        long_text=LONG,
        trust_remote_code=True,
    ),
    "sentence-t5": Case(
        "the encoder of T5, Unigram",
        "mean, Dense, Normalize",
        saved(
            config=T5Config(d_model=HIDDEN, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=410),
            model_class=T5EncoderModel,
            tokenizer=lambda: unigram(("<pad>", "</s>", "<unk>"), "$A </s>"),
            tokens=T5_TOKENS,
            modules=lambda: (Dense(HIDDEN, 24, bias=False, activation_function=nn.Identity()), Normalize()),
        ),
    ),
    "qwen3": Case("Qwen3, padded on the left", "lasttoken, Normalize", saved(**QWEN3, modules=lambda: (Normalize(),))),
    "qwen3-right": Case("Qwen3, padded on the right", "lasttoken", saved(**but(QWEN3, tokens=EOS_TOKENS | RIGHT))),
    "mistral": Case(
        "Mistral with a sliding window, padded on the left",
        "lasttoken, Normalize",
        saved(
            config=MistralConfig(**DECODER_SIZES, sliding_window=16),
            tokenizer=byte_bpe,
            tokens=BPE_TOKENS | LEFT,
            pooling="lasttoken",
            modules=lambda: (Normalize(),),
        ),
    ),
    "embeddinggemma": Case(
        "Gemma 3, bidirectional, local attention, Unigram",
        "mean, Dense, Dense, Normalize",
        saved(
            config=Gemma3TextConfig(
                **but(DECODER_SIZES, num_hidden_layers=3),
                use_bidirectional_attention=True,
                sliding_window=16,
                layer_types=["sliding_attention", "sliding_attention", "full_attention"],
                query_pre_attn_scalar=8,
            ),
            tokenizer=lambda: unigram(("<pad>", "<eos>", "<bos>", "<unk>"), "<bos> $A <eos>"),
            tokens=GEMMA_TOKENS,
            modules=lambda: (
                Dense(HIDDEN, 48, bias=False, activation_function=nn.Identity()),
                Dense(48, HIDDEN, bias=False, activation_function=nn.Identity()),
                Normalize(),
            ),
        ),
    ),
    "bge-m3": Case(
        "XLM-RoBERTa with 8194 positions, Unigram",
        "cls, Normalize",
        saved(
            **but(XLM, config=XLMRobertaConfig(**but(ROBERTA_SIZES, max_position_embeddings=8194))),
            pooling="cls",
            modules=lambda: (Normalize(),),
            limit=8192,
        ),
        long_text=LONG,
    ),
    "gpt-neox": Case(
        "GPT-NeoX",
        "weightedmean",
        saved(
            config=GPTNeoXConfig(**SIZES, rotary_pct=0.25, max_position_embeddings=64),
            tokenizer=byte_bpe,
            tokens=BPE_TOKENS,
            pooling="weightedmean",
        ),
    ),
    "gpt2": Case(
        "GPT-2",
        "weightedmean",
        saved(
            config=GPT2Config(vocab_size=410, n_embd=HIDDEN, n_layer=2, n_head=4, n_positions=64),
            tokenizer=byte_bpe,
            tokens=BPE_TOKENS,
            pooling="weightedmean",
        ),
    ),
    "clip": Case("CLIP with its pictures", "none: the text half pools and projects", saved(**CLIP)),
    "old-clip": Case(
        "CLIP with its pictures, in 0_CLIPModel",
        "none: the text half pools and projects",
        saved(into_subfolder("CLIPModel"), **CLIP),
    ),
}
