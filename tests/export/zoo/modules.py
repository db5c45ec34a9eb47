"""The zoo's modules: poolings, Dense, word vectors, routers, prompts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.modules import (
    CNN,
    LSTM,
    BoW,
    Dense,
    Dropout,
    LayerNorm,
    Normalize,
    Pooling,
    StaticEmbedding,
    Transformer,
    WeightedLayerPooling,
    WordEmbeddings,
    WordWeights,
)
from sentence_transformers.sentence_transformer.modules.tokenizer import (
    PhraseTokenizer,
    WhitespaceTokenizer,
)
from torch import nn
from transformers import Qwen3ForCausalLM

from edge_st_export.original.texts import ORDINARY
from edge_st_runtime.modules.pooling import POOLING
from tests.export.originals import HIDDEN, bert, load_original
from tests.export.zoo.building import (
    BPE_TOKENS,
    CHAT,
    EOS_TOKENS,
    LEFT,
    MERGING,
    NO_POOLING_MODE,
    POOLING_FILE,
    PROMPTS,
    QWEN3,
    ROBERTA,
    XLM,
    Case,
    but,
    composed,
    dense_first,
    halve,
    into_subfolder,
    pickle_modules,
    replace,
    saved,
)
from tests.support.tiny_tokenizers import wordpiece

POOLINGS: Mapping[str, Case] = {
    "-".join(modes): Case("BERT", ", ".join(modes), saved(pooling=modes))
    for modes in (*((mode,) for mode in POOLING), ("mean", "max", "cls"), ("weightedmean", "lasttoken"))
}

ACTIVATIONS: Mapping[str, Case] = {
    f"dense-{kind.__name__.lower()}": Case(
        "BERT",
        f"mean, Dense with {kind.__name__}",
        saved(modules=lambda kind=kind: (Dense(HIDDEN, 24, activation_function=kind()),)),
    )
    for kind in (nn.Tanh, nn.Identity, nn.GELU, nn.ReLU, nn.SiLU, nn.Sigmoid, nn.PReLU)
}

MODULES: Mapping[str, Case] = {
    "many-modules": Case(
        "BERT",
        "mean, Dense, Dropout, LayerNorm, Dense, Normalize",
        saved(modules=lambda: (Dense(HIDDEN, 24), Dropout(0.3), LayerNorm(24), Dense(24, 12, bias=False), Normalize())),
    ),
    "pickled-modules": Case(
        "BERT",
        "mean, Dense and LayerNorm as pickles",
        saved(pickle_modules, modules=lambda: (Dense(HIDDEN, 24), LayerNorm(24))),
    ),
    "old-pooling": Case(
        "BERT",
        "mean and max in the old spelling",
        saved(
            replace(POOLING_FILE, **but(NO_POOLING_MODE, pooling_mode_mean_tokens=True, pooling_mode_max_tokens=True))
        ),
    ),
    "old-layout": Case(
        "BERT in 0_Transformer",
        "cls in the old spelling",
        saved(
            replace(POOLING_FILE, **but(NO_POOLING_MODE, pooling_mode_cls_token=True)), into_subfolder("Transformer")
        ),
    ),
    "dense-on-tokens": Case(
        "BERT",
        "Dense on token embeddings, mean",
        saved(dense_first, modules=lambda: (Dense(HIDDEN, HIDDEN, module_input_name="token_embeddings"),)),
    ),
    "half": Case("BERT in float16", "mean, Dense", saved(halve, modules=lambda: (Dense(HIDDEN, 24),))),
    "transformer-alone": Case("BERT without modules.json", "mean by default", saved(only_transformer=True, limit=None)),
    "chat-alone": Case(
        "Qwen3ForCausalLM with a chat template, without modules.json",
        "lasttoken by default, of a message",
        saved(
            **but(QWEN3, tokens=EOS_TOKENS | LEFT | {"chat_template": CHAT}),
            model_class=Qwen3ForCausalLM,
            only_transformer=True,
        ),
    ),
    "causal-alone": Case(
        "Qwen3ForCausalLM without modules.json",
        "lasttoken by default",
        saved(**QWEN3, model_class=Qwen3ForCausalLM, only_transformer=True),
    ),
}

PROMPTED: Mapping[str, Case] = {
    "prompts": Case("BERT", "mean, prompts", saved(**but(PROMPTS, include_prompt=True))),
    "without-prompt": Case("BERT", "mean without the prompt", saved(**PROMPTS)),
    "without-prompt-left": Case(
        "RoBERTa, padded on the left",
        "mean without the prompt",
        saved(**but(ROBERTA, tokens=BPE_TOKENS | LEFT), **PROMPTS),
    ),
    "without-prompt-bpe": Case(
        "RoBERTa", "mean without a prompt that merges with the text", saved(**ROBERTA, **MERGING)
    ),
    "without-prompt-unigram": Case(
        "XLM-RoBERTa, Unigram", "mean without a prompt that merges with the text", saved(**XLM, **MERGING)
    ),
}

WORDS = ["PADDING_TOKEN", *sorted({word.strip(".,?!").lower() for text in ORDINARY for word in text.split()})]
PHRASES = [*WORDS, "New_York", "the_budget_is", "ice_cream", "is__settled"]
WEIGHTS = {word: 0.2 + place / len(WORDS) for place, word in enumerate(WORDS) if place % 3}
WIDTH = 12


def bert_part(folder: Path, name: str = "part", **options: Any) -> Transformer:
    """A transformer alone; ``name`` keeps several apart."""
    return load_original(saved(**options)(folder / name))[0]


def with_all_layers(folder: Path) -> Transformer:
    config = bert()
    config.output_hidden_states = True
    return bert_part(folder, config=config)


def words() -> WordEmbeddings:
    """Vectors for the words of the ordinary texts."""
    return WordEmbeddings(WhitespaceTokenizer(WORDS, stop_words=["the", "of"]), torch.randn(len(WORDS), WIDTH))


def phrases() -> WordEmbeddings:
    """Vectors for words, and for phrases of several."""
    return WordEmbeddings(PhraseTokenizer(PHRASES, stop_words=["the"]), torch.randn(len(PHRASES), WIDTH))


def weighted_layers() -> WeightedLayerPooling:
    weights = nn.Parameter(torch.tensor([0.2, 1.3, 0.7]))
    return WeightedLayerPooling(HIDDEN, num_hidden_layers=2, layer_start=0, layer_weights=weights)


def as_asym(folder: Path) -> None:
    """The names that a Router and its file had in sentence-transformers 2."""
    (folder / "2_Router" / "router_config.json").rename(folder / "2_Router" / "config.json")
    text = (folder / "modules.json").read_text(encoding="utf-8")
    modern = "sentence_transformers.base.modules.router.Router"
    assert modern in text
    (folder / "modules.json").write_text(text.replace(modern, "sentence_transformers.models.Asym"), encoding="utf-8")


NUMPY = ("numpy",)
WORD_VECTORS: Mapping[str, Case] = {
    "static": Case(
        "token vectors",
        "StaticEmbedding, Normalize",
        composed(lambda _: [StaticEmbedding(wordpiece(), embedding_dim=WIDTH), Normalize()]),
        NUMPY,
    ),
    "words": Case("word vectors", "WordEmbeddings, mean", composed(lambda _: [words(), Pooling(WIDTH)]), NUMPY),
    "words-max": Case(
        "word vectors", "WordEmbeddings, max", composed(lambda _: [words(), Pooling(WIDTH, "max")]), NUMPY
    ),
    "phrases": Case(
        "word vectors",
        "WordEmbeddings with phrases, mean",
        composed(lambda _: [phrases(), Pooling(WIDTH)]),
        NUMPY,
    ),
    "word-weights": Case(
        "word vectors",
        "WordEmbeddings, WordWeights, mean and mean_sqrt_len_tokens, Dense",
        composed(
            lambda _: [
                words(),
                WordWeights(WORDS, WEIGHTS, 0.5),
                Pooling(WIDTH, ("mean", "mean_sqrt_len_tokens")),
                Dense(2 * WIDTH, 8),
            ]
        ),
        NUMPY,
    ),
    "bag": Case("bag of words", "BoW, Dense", composed(lambda _: [BoW(WORDS, WEIGHTS), Dense(len(WORDS), 8)]), NUMPY),
    "bag-once": Case(
        "bag of words",
        "BoW that counts a word once",
        composed(lambda _: [BoW(WORDS, WEIGHTS, cumulative_term_frequency=False)]),
        NUMPY,
    ),
    "cnn": Case(
        "word vectors",
        "WordEmbeddings, CNN, mean",
        composed(lambda _: [words(), CNN(WIDTH, 8, [1, 3, 5]), Pooling(24)]),
        NUMPY,
    ),
    "cnn-after-bert": Case(
        "BERT", "CNN, mean", composed(lambda folder: [bert_part(folder), CNN(HIDDEN, 8, [1, 3]), Pooling(16)])
    ),
    "lstm": Case(
        "word vectors",
        "WordEmbeddings, LSTM, mean",
        composed(lambda _: [words(), LSTM(WIDTH, 8, num_layers=2), Pooling(16)]),
    ),
    "cnn-lstm": Case(
        "word vectors",
        "WordEmbeddings, WordWeights, CNN, LSTM, mean",
        composed(
            lambda _: [
                words(),
                WordWeights(WORDS, WEIGHTS),
                CNN(WIDTH, 8, [1, 3]),
                LSTM(16, 8, bidirectional=False),
                Pooling(8),
            ]
        ),
    ),
    "weighted-layers": Case(
        "BERT",
        "WeightedLayerPooling, mean",
        composed(lambda folder: [with_all_layers(folder), weighted_layers(), Pooling(HIDDEN)]),
    ),
    "weighted-layers-unused": Case(
        "BERT without its hidden states",
        "WeightedLayerPooling, mean",
        composed(lambda folder: [bert_part(folder), weighted_layers(), Pooling(HIDDEN)]),
    ),
}


def two_denses() -> dict[str, list[nn.Module]]:
    return {"query": [Dense(HIDDEN, 8)], "document": [Dense(HIDDEN, 16), Dense(16, 8)]}


ROUTERS: Mapping[str, Case] = {
    "router": Case(
        "BERT for documents, token vectors for queries",
        "Router over all modules, Normalize",
        composed(
            lambda folder: [
                Router.for_query_document(
                    [StaticEmbedding(wordpiece(), embedding_dim=HIDDEN)], [bert_part(folder), Pooling(HIDDEN)]
                ),
                Normalize(),
            ]
        ),
    ),
    "router-of-widths": Case(
        "BERT for documents, token vectors for queries",
        "Router over routes of different widths",
        composed(
            lambda folder: [
                Router.for_query_document(
                    [StaticEmbedding(wordpiece(), embedding_dim=WIDTH)], [bert_part(folder), Pooling(HIDDEN)]
                )
            ]
        ),
    ),
    "router-of-two": Case(
        "BERT and RoBERTa",
        "Router without a default, Dense",
        composed(
            lambda folder: [
                Router(
                    {
                        "query": [bert_part(folder), Pooling(HIDDEN)],
                        "doc": [bert_part(folder, "other", **ROBERTA), Pooling(HIDDEN, "cls")],
                    },
                    allow_empty_key=False,
                ),
                Dense(HIDDEN, 8),
            ]
        ),
    ),
    "router-after-pooling": Case(
        "BERT",
        "mean, Router over Dense, Normalize",
        composed(
            lambda folder: [
                bert_part(folder),
                Pooling(HIDDEN),
                Router(two_denses(), default_route="document"),
                Normalize(),
            ]
        ),
    ),
    "asym": Case(
        "BERT",
        "mean, Asym over Dense",
        composed(lambda folder: [bert_part(folder), Pooling(HIDDEN), Router(two_denses())], as_asym),
    ),
    "router-mappings": Case(
        "BERT",
        "mean, Router with mappings of tasks",
        composed(
            lambda folder: [
                bert_part(folder),
                Pooling(HIDDEN),
                Router(
                    {"a": [Dense(HIDDEN, 8)], "b": [Dense(HIDDEN, 8)]},
                    route_mappings={("query", "text"): "a", ("document", None): "b", (None, "text"): "b"},
                ),
            ]
        ),
    ),
}
