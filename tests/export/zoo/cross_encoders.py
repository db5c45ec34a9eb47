"""The zoo's cross-encoders: classifiers of pairs, other heads that score them, and activations."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import transformers
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sentence_transformer.modules import Dense, Pooling
from tokenizers import Tokenizer
from torch import nn
from transformers import (
    AlbertConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    MPNetConfig,
    Qwen3Config,
)

from tests.export.originals import BERT_TOKENS, HIDDEN, SIZES, bert
from tests.export.zoo.architectures import bert_unigram, modern_bert
from tests.export.zoo.building import (
    BPE_TOKENS,
    DECODER_SIZES,
    DISENTANGLED,
    DISENTANGLED_V3,
    EOS_TOKENS,
    IDS_AND_MASK,
    LEFT,
    RIGHT,
    ROBERTA,
    ROBERTA_SIZES,
    XLM,
    Case,
    but,
    composed,
    plain,
    transformer,
)
from tests.export.zoo.gated_encoders import (
    NewConfig,
    NewForSequenceClassification,
    NomicConfig,
    NomicForSequenceClassification,
)
from tests.support.tiny_tokenizers import byte_bpe, closing_bpe

Build: TypeAlias = Callable[[Path], Path]
Options: TypeAlias = Mapping[str, Any]
NOTHING: Options = MappingProxyType({})
DEBERTA: Options = {**SIZES, "max_position_embeddings": 64, **DISENTANGLED}
DEBERTA_V3 = DebertaV2Config(**{**DEBERTA, **DISENTANGLED_V3})
DISTILBERT: Options = {
    "config": DistilBertConfig(
        vocab_size=410, dim=HIDDEN, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=64
    ),
    "tokens": {**BERT_TOKENS, **IDS_AND_MASK},
}
ALBERT = AlbertConfig(**SIZES, embedding_size=16, max_position_embeddings=64, pad_token_id=0)
MODERNBERT: Options = {"config": modern_bert(64), "tokenizer": byte_bpe, "tokens": BPE_TOKENS}
NOMIC_CLASSIFIER: Options = (
    {
        "config": transformers.NomicBertConfig(**SIZES, num_labels=2),
        "model_class": AutoModelForSequenceClassification.from_config,
    }
    if hasattr(transformers, "NomicBertConfig")
    else {"config": NomicConfig(num_labels=2), "model_class": NomicForSequenceClassification}
)

ELECTRA = ElectraConfig(**SIZES, embedding_size=16, max_position_embeddings=64)
MPNET: Options = but(ROBERTA, config=MPNetConfig(**ROBERTA_SIZES))
QWEN3: Options = {
    "config": Qwen3Config(**DECODER_SIZES, pad_token_id=1),
    "tokenizer": closing_bpe,
    "tokens": EOS_TOKENS | LEFT,
}
QUERY_AND_DOCUMENT = """\
{% for message in messages %}<s>{{ message.role }}: {{ message.content }}{% endfor %}</s> the answer is"""
IDENTITY, TANH = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Tanh"


#: with more, float32's rounding between batches of different shapes grows beyond test_zoo's ROUNDING
PAIR_SPREAD = 0.25


def head(options: Mapping[str, Any], labels: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a transformer with a classification head, and ``settings`` in its config.json."""
    config = deepcopy(options.get("config") or bert())
    config.update({"num_labels": labels, **settings})
    return but(
        {"spread": PAIR_SPREAD, **options}, config=config, model_class=AutoModelForSequenceClassification.from_config
    )


def classifier(
    labels: int = 1, *, limit: int = 48, scoring: Options = NOTHING, settings: Options = NOTHING, **options: Any
) -> Build:
    """The builder of a classifier with modules.json; ``scoring`` are CrossEncoder's options."""
    return composed(
        lambda folder: [transformer(folder, "sequence-classification", limit=limit, **head(options, labels, settings))],
        model_class=CrossEncoder,
        **scoring,
    )


def plain_classifier(labels: int = 1, *, settings: Options = NOTHING, **options: Any) -> Build:
    """The builder of a classifier without modules.json."""
    return plain(**head(options, labels, settings))


def reranker(true: int, false: int | None, *, scoring: Options = NOTHING, **options: Any) -> Build:
    """The builder of a causal language model that says yes or no to a pair; ``scoring`` are CrossEncoder's options."""
    causal = but(QWEN3, model_class=AutoModelForCausalLM.from_config, **options)
    return composed(
        lambda folder: [transformer(folder, "text-generation", **causal), LogitScore(true, false)],
        model_class=CrossEncoder,
        **scoring,
    )


def pooled(labels: int, pooling: str) -> Build:
    """The builder of an embedding model whose last module scores."""
    dense = partial(Dense, HIDDEN, labels, activation_function=nn.Identity(), module_output_name="scores")
    return composed(
        lambda folder: [transformer(folder, spread=PAIR_SPREAD), Pooling(HIDDEN, pooling), dense()],
        model_class=CrossEncoder,
    )


def closing_bpe_with_answers() -> Tokenizer:
    """Qwen3's, with the words that sentence-transformers takes for answers."""
    tokenizer = closing_bpe()
    tokenizer.add_tokens(["yes", "no"])
    return tokenizer


CLASSIFIERS: Mapping[str, Case] = {
    "classifier-bert": Case("BERT", "1 label", classifier()),
    "classifier-untyped": Case(
        "BERT whose tokenizer gives no token types", "1 label", classifier(tokens={**BERT_TOKENS, **IDS_AND_MASK})
    ),
    "classifier-roberta": Case("RoBERTa", "1 label", classifier(**ROBERTA)),
    "classifier-xlm-roberta": Case("XLM-RoBERTa, Unigram, without modules.json", "1 label", plain_classifier(**XLM)),
    "classifier-deberta-v2": Case(
        "DeBERTa-v2 with a convolution, Unigram",
        "2 labels",
        classifier(2, config=DebertaV2Config(**DEBERTA, conv_kernel_size=3), tokenizer=bert_unigram),
    ),
    "classifier-deberta-v3": Case(
        "DeBERTa-v3, Unigram", "3 labels", classifier(3, config=DEBERTA_V3, tokenizer=bert_unigram)
    ),
    "classifier-electra": Case("ELECTRA", "1 label", classifier(config=ELECTRA)),
    "classifier-modernbert": Case("ModernBERT, local attention", "1 label", classifier(**MODERNBERT)),
    "classifier-modernbert-mean": Case(
        "ModernBERT, local attention",
        "2 labels of the tokens' mean",
        classifier(2, settings={"classifier_pooling": "mean"}, **MODERNBERT),
    ),
    "classifier-distilbert": Case("DistilBERT", "2 labels", classifier(2, **DISTILBERT)),
    "classifier-mpnet": Case("MPNet", "1 label", classifier(**MPNET)),
    "classifier-albert": Case("ALBERT, Unigram", "1 label", classifier(config=ALBERT, tokenizer=bert_unigram)),
    "classifier-nomic": Case(
        "NomicBERT, without modules.json",
        "2 labels",
        plain(**NOMIC_CLASSIFIER, spread=PAIR_SPREAD),
        trust_remote_code=True,
    ),
    "classifier-gte": Case(
        "GTE, code of its own, without modules.json",
        "1 label",
        plain(config=NewConfig(num_labels=1), model_class=NewForSequenceClassification, spread=PAIR_SPREAD),
        trust_remote_code=True,
    ),
    "classifier-qwen3": Case("Qwen3ForSequenceClassification, padded on the left", "1 label", classifier(**QWEN3)),
    "classifier-qwen3-right": Case(
        "Qwen3ForSequenceClassification, padded on the right, without modules.json",
        "2 labels",
        plain_classifier(2, **but(QWEN3, tokens=EOS_TOKENS | RIGHT)),
    ),
}

ACTIVATED: Mapping[str, Case] = {
    f"scores-{name.lower()}-{place}": Case("BERT", f"1 label, {name} in {file}", build)
    for name, path in (("Identity", IDENTITY), ("Tanh", TANH))
    for place, file, build in (
        ("v5", "config_sentence_transformers.json", classifier(scoring={"activation_fn": getattr(nn, name)()})),
        (
            "v4",
            "config.json of version 4",
            plain_classifier(settings={"sentence_transformers": {"activation_fn": path}}),
        ),
        ("v3", "config.json of version 3", plain_classifier(settings={"sbert_ce_default_activation_function": path})),
    )
}

SCORERS: Mapping[str, Case] = {
    "scores-softmax": Case("BERT", "3 labels, Softmax", classifier(3, scoring={"activation_fn": nn.Softmax(dim=-1)})),
    "classifier-plain": Case("BERT without modules.json", "3 labels", plain_classifier(3)),
    "classifier-half": Case("BERT in float16", "1 label", classifier(half=True)),
    "classifier-plain-half": Case("BERT in float16 without modules.json", "1 label", plain_classifier(half=True)),
    "classifier-prompts": Case(
        "BERT",
        "1 label, prompts",
        classifier(scoring={"prompts": {"web": "the quick search: ", "plain": ""}, "default_prompt_name": "web"}),
    ),
    "classifier-short": Case("BERT, pairs cut to 40 tokens", "1 label", classifier(limit=40)),
    "classifier-short-roberta": Case("RoBERTa, pairs cut to 45 tokens", "1 label", classifier(limit=45, **ROBERTA)),
    "classifier-short-left": Case(
        "BERT, pairs cut to 40 tokens on the left",
        "1 label",
        classifier(limit=40, tokens=BERT_TOKENS | {"truncation_side": "left"}),
    ),
    "dense-scores": Case("BERT", "cls, Dense to scores", pooled(1, "cls")),
    "dense-scores-of-mean": Case("BERT", "mean, Dense to 2 scores", pooled(2, "mean")),
    "logit-score": Case("Qwen3ForCausalLM", "LogitScore of yes and no", reranker(20, 30)),
    "logit-score-of-one": Case("Qwen3ForCausalLM", "LogitScore of yes", reranker(20, None)),
    "logit-score-tied": Case(
        "Qwen3ForCausalLM with tied embeddings",
        "LogitScore of yes and no",
        reranker(20, 30, config=Qwen3Config(**DECODER_SIZES, pad_token_id=1, tie_word_embeddings=True)),
    ),
    "logit-score-chat": Case(
        "Qwen3ForCausalLM with a chat template",
        "LogitScore of yes and no, prompts",
        reranker(
            20,
            30,
            config=Qwen3Config(**but(DECODER_SIZES, max_position_embeddings=120), pad_token_id=1),
            limit=120,
            tokens=EOS_TOKENS | LEFT | {"chat_template": QUERY_AND_DOCUMENT},
            scoring={"prompts": {"web": "the quick search"}, "default_prompt_name": "web"},
        ),
    ),
    "logit-score-plain": Case(
        "Qwen3ForCausalLM without modules.json",
        "LogitScore of yes and no by default",
        plain(**but(QWEN3, tokenizer=closing_bpe_with_answers, model_class=AutoModelForCausalLM.from_config)),
        task="cross-encoder",
    ),
}
CROSS_ENCODERS: Mapping[str, Case] = {**CLASSIFIERS, **ACTIVATED, **SCORERS}
