"""The same vector for a text alone, among others, in any order and batch; and equal to what the model must answer."""

import random
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from edge_st import SentenceTransformer
from tests.support.tiny_graphs import HIDDEN, TinyGraph
from tests.support.tiny_models import MEAN, NORMALIZE, TinyModel, dense
from tests.support.tiny_tokenizers import NASTY, byte_bpe, closing_bpe, random_texts

TEXTS = [*NASTY, *random_texts(150)]
PAIRS = list(zip(TEXTS, reversed(TEXTS), strict=True))
INPUTS = ("input_ids", "attention_mask")
WEIGHT = np.random.default_rng(2).standard_normal((5, HIDDEN)).astype(np.float32)
LEFT = {"pad_token": "<pad>", "padding_side": "left"}
MODELS = {
    "BERT": TinyModel(),
    "RoBERTa": TinyModel(byte_bpe, TinyGraph(INPUTS), tokenizer_config={"pad_token": "<pad>"}),
    "left padding": TinyModel(closing_bpe, TinyGraph((*INPUTS, "position_ids")), tokenizer_config=LEFT),
    "positions of its own": TinyModel(graph=TinyGraph(own_positions=45), limit=45),
    "int32": TinyModel(graph=TinyGraph(dtype=TensorProto.INT32)),
}


@pytest.mark.parametrize("tiny", MODELS.values(), ids=MODELS.keys())
def test_vectors(tiny: TinyModel, engine: str, tmp_path: Path) -> None:
    model = SentenceTransformer(tiny.save(tmp_path), backend=engine, num_threads=2)
    for inputs in (TEXTS, PAIRS):
        found = model.encode(inputs)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, tiny.means(inputs), atol=2e-6)


def test_alone_and_in_any_batch_and_order(model: SentenceTransformer) -> None:
    alone = np.stack([model.encode(text) for text in TEXTS])
    order = random.Random(0).sample(range(len(TEXTS)), len(TEXTS))
    for batch_size in (1, 3, 1000):
        shuffled = model.encode([TEXTS[row] for row in order], batch_size=batch_size)
        np.testing.assert_allclose(shuffled, alone[order], atol=1e-6)


def test_modules_after_pooling(engine: str, tmp_path: Path) -> None:
    bias = np.arange(5, dtype=np.float32)
    tiny = TinyModel(
        modules=(MEAN, dense(WEIGHT, bias, activation_function="torch.nn.modules.activation.Tanh"), NORMALIZE)
    )
    model = SentenceTransformer(tiny.save(tmp_path), backend=engine)
    expected = np.tanh(tiny.means(TEXTS) @ WEIGHT.T + bias)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(model.encode(TEXTS), expected, atol=2e-6)
    assert model.get_embedding_dimension() == model.get_sentence_embedding_dimension() == 5


POOLED = {
    "ours": (TinyGraph(outputs={"sentence_embedding": "mean"}), (MEAN, NORMALIZE)),
    "another name": (TinyGraph(outputs={"text_embeds": "mean"}), (MEAN, NORMALIZE)),
    "beside token embeddings": (
        TinyGraph(outputs={"sentence_embedding": "first", "token_embeddings": "tokens"}),
        (MEAN, NORMALIZE),
    ),
}


@pytest.mark.parametrize("graph", POOLED)
def test_graph_that_pools_is_not_pooled_again(graph: str, engine: str, tmp_path: Path) -> None:
    tiny = TinyModel(graph=POOLED[graph][0], modules=POOLED[graph][1])
    model = SentenceTransformer(tiny.save(tmp_path), backend=engine)
    means = tiny.means(TEXTS)
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(model.encode(TEXTS), expected, atol=2e-6)


@pytest.mark.parametrize(("side", "kind"), [("left", "last"), ("right", "first")])
def test_graph_that_takes_one_token(side: str, kind: str, engine: str, tmp_path: Path) -> None:
    graph = TinyGraph(INPUTS, {"sentence_embedding": kind})
    tiny = TinyModel(closing_bpe, graph, limit=50, tokenizer_config={"pad_token": "<pad>", "padding_side": side})
    model = SentenceTransformer(tiny.save(tmp_path), backend=engine)
    texts = random_texts(80)
    expected = [tiny.token_embeddings(text)[-1 if kind == "last" else 0] for text in texts]
    np.testing.assert_allclose(model.encode(texts), expected, atol=2e-6)


def test_graph_that_pools_with_a_dense_layer_of_which_nobody_knows(tmp_path: Path) -> None:
    graph = TinyGraph(outputs={"text_embeds": "mean"})
    folder = TinyModel(graph=graph, modules=(MEAN, dense(WEIGHT))).save(tmp_path)
    with pytest.raises(ValueError, match=r"model.onnx was made by another exporter.*whether Dense is part of it"):
        SentenceTransformer(folder, backend="onnx")


def test_plain_transformers_folder_is_mean_pooled(engine: str, tiny: TinyModel, tmp_path: Path) -> None:
    folder = tiny.save(tmp_path)
    for name in (
        "modules.json",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
    ):
        (folder / name).unlink()
    model = SentenceTransformer(folder, backend=engine)
    assert model.max_seq_length == 64
    np.testing.assert_allclose(model.encode(["the quick fox"]), tiny.means(["the quick fox"]), atol=2e-6)
