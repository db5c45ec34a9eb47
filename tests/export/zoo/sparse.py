"""The zoo's sparse encoders: SPLADE, inference-free queries, sparse autoencoders."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.modules import Pooling
from sentence_transformers.sparse_encoder.modules import SparseAutoEncoder, SparseStaticEmbedding, SpladePooling
from torch import nn
from transformers import AutoModelForMaskedLM, PreTrainedTokenizerFast

from tests.export.originals import BERT_TOKENS, HIDDEN
from tests.export.zoo.building import (
    NUMPY,
    ROBERTA,
    SPREAD,
    TRANSFORMER_FILE,
    XLM,
    Case,
    Step,
    composed,
    plain,
    replace,
    transformer,
)
from tests.export.zoo.cross_encoders import DISTILBERT, ELECTRA, MODERNBERT, MPNET
from tests.support.tiny_tokenizers import wordpiece

Build: TypeAlias = Callable[[Path], Path]
TOKENIZER = PreTrainedTokenizerFast(tokenizer_object=wordpiece(), **BERT_TOKENS)
#: with more, float32's rounding between batches of different shapes grows beyond test_zoo's ROUNDING
SPLADE_SPREAD = 0.1
MASKED = {"model_class": AutoModelForMaskedLM.from_config}


def masked(folder: Path, strategy: Any = "max", activation: Any = "relu", **options: Any) -> list[nn.Module]:
    """A transformer with the head of a masked language model, and its pooling."""
    first = transformer(folder, "fill-mask", **MASKED, spread=SPLADE_SPREAD, **options)
    return [first, SpladePooling(strategy, activation)]


def splade(*steps: Step, strategy: Any = "max", activation: Any = "relu", prompts: Any = None, **options: Any) -> Build:
    """The builder of a SPLADE model with modules.json."""
    return composed(
        lambda folder: masked(folder, strategy, activation, **options),
        *steps,
        model_class=SparseEncoder,
        prompts=prompts,
    )


def inference_free(*steps: Step) -> Build:
    """The builder of a model whose queries are only looked up."""
    return composed(
        lambda folder: [Router.for_query_document([looked_up()], masked(folder))],
        *steps,
        model_class=SparseEncoder,
    )


def looked_up() -> SparseStaticEmbedding:
    """A weight for every token, the smallest ones none."""
    return SparseStaticEmbedding(TOKENIZER, torch.relu(torch.randn(len(TOKENIZER)) + 1))


def autoencoded(**options: Any) -> Build:
    """The builder of a dense model with an autoencoder whose latents are sparse."""

    def autoencoder() -> SparseAutoEncoder:
        module = SparseAutoEncoder(HIDDEN, 96, k=12, **options)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter) * SPREAD)
        return module

    return composed(
        lambda folder: [transformer(folder), Pooling(HIDDEN), autoencoder()],
        model_class=SparseEncoder,
    )


def as_mlm_transformer(folder: Path) -> None:
    """The class of the first module, and its file, as in sentence-transformers 5.0."""
    path = folder / "modules.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    entries[0]["type"] = "sentence_transformers.sparse_encoder.models.MLMTransformer"
    path.write_text(json.dumps(entries), encoding="utf-8")
    replace(TRANSFORMER_FILE, max_seq_length=48, do_lower_case=False)(folder)


MASKED_MODELS: Mapping[str, Case] = {
    "splade-bert": Case("BERT", "SpladePooling of maxima", splade()),
    "splade-distilbert": Case(
        "DistilBERT", "SpladePooling of maxima, log1p_relu", splade(activation="log1p_relu", **DISTILBERT)
    ),
    "splade-roberta": Case("RoBERTa", "SpladePooling of sums", splade(strategy="sum", **ROBERTA)),
    "splade-xlm-roberta": Case(
        "XLM-RoBERTa, Unigram",
        "SpladePooling of sums, log1p_relu",
        splade(strategy="sum", activation="log1p_relu", **XLM),
    ),
    "splade-modernbert": Case("ModernBERT, local attention", "SpladePooling of maxima", splade(**MODERNBERT)),
    "splade-electra": Case("ELECTRA", "SpladePooling of maxima", splade(config=ELECTRA)),
    "splade-mpnet": Case("MPNet", "SpladePooling of maxima", splade(**MPNET)),
}
SPARSE_ENCODERS: Mapping[str, Case] = {
    **MASKED_MODELS,
    "splade-plain": Case(
        "BERT without modules.json",
        "SpladePooling of maxima by default",
        plain(**MASKED, spread=SPLADE_SPREAD),
        task="sparse-encoder",
    ),
    "splade-mlm-transformer": Case("BERT as MLMTransformer", "SpladePooling of maxima", splade(as_mlm_transformer)),
    "splade-half": Case("BERT in float16", "SpladePooling of maxima", splade(half=True)),
    "splade-prompts": Case(
        "BERT", "SpladePooling of maxima, prompts", splade(prompts={"query": "the quick search: ", "document": ""})
    ),
    "inference-free": Case(
        "BERT for documents, token weights for queries",
        "Router over SparseStaticEmbedding and SpladePooling",
        inference_free(),
    ),
    "sparse-static": Case(
        "token weights",
        "SparseStaticEmbedding",
        composed(lambda _: [looked_up()], model_class=SparseEncoder),
        NUMPY,
    ),
    "autoencoder": Case("BERT", "mean, SparseAutoEncoder", autoencoded()),
    "autoencoder-normalized": Case("BERT", "mean, SparseAutoEncoder that normalizes", autoencoded(normalize=True)),
}
