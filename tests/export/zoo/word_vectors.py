"""The zoo's word vectors, token vectors and bags of words, and what may come between words and their pooling."""

from collections.abc import Mapping
from pathlib import Path

import torch
from sentence_transformers.sentence_transformer.modules import (
    CNN,
    LSTM,
    BoW,
    Dense,
    Normalize,
    Pooling,
    StaticEmbedding,
    Transformer,
    WeightedLayerPooling,
    WordEmbeddings,
    WordWeights,
)
from sentence_transformers.sentence_transformer.modules.tokenizer import PhraseTokenizer, WhitespaceTokenizer
from torch import nn

from edge_st_export.original.texts import ORDINARY
from tests.export.originals import HIDDEN, bert
from tests.export.zoo.building import NUMPY, WIDTH, Case, bert_part, composed
from tests.support.tiny_tokenizers import wordpiece

WORDS = ["PADDING_TOKEN", *sorted({word.strip(".,?!").lower() for text in ORDINARY for word in text.split()})]
PHRASES = [*WORDS, "New_York", "the_budget_is", "ice_cream", "is__settled"]
WEIGHTS = {word: 0.2 + place / len(WORDS) for place, word in enumerate(WORDS) if place % 3}


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
