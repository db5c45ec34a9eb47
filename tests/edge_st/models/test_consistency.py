"""Parts that do not belong together are refused at load, before anything runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, EdgeSTError, SentenceTransformer
from edge_st_runtime.errors import DamagedFileError, MissingFileError, OptionError, UnsupportedModelError
from tests.support.tiny_graphs import HIDDEN, TinyGraph
from tests.support.tiny_models import MEAN, NORMALIZE, Step, TinyModel, dense, write_json
from tests.support.tiny_pair_models import TinyCrossEncoder
from tests.support.tiny_tokenizers import wordpiece

SIZE = wordpiece().get_vocab_size()
LSTM: Step = ("LSTM", {}, {})
LAYERS: Step = ("WeightedLayerPooling", {}, {})
ALL_LAYERS = {"model_type": "bert", "output_hidden_states": True}


def load(model: TinyModel, folder: Path) -> SentenceTransformer:
    return SentenceTransformer(model.save(folder), backend="onnx")


@pytest.mark.parametrize(
    ("config", "tokenizer_config", "message"),
    [
        ({"vocab_size": SIZE - 1}, {}, rf"knows {SIZE} tokens, the model has embeddings for {SIZE - 1}"),
        ({"text_config": {"vocab_size": 7}}, {}, rf"knows {SIZE} tokens, the model has embeddings for 7"),
        (
            {"vocab_size": SIZE},
            {"eos_token": "</s>"},
            rf"knows {SIZE + 1} tokens \('</s>' only in tokenizer_config.json\)",
        ),
    ],
    ids=["too many tokens", "in text_config", "a special token that is missing"],
)
def test_a_tokenizer_of_another_model(
    config: dict[str, Any], tokenizer_config: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DamagedFileError, match=message):
        load(TinyModel(config=config, tokenizer_config=tokenizer_config), tmp_path)


def test_a_token_beyond_the_table(engine: str, tmp_path: Path) -> None:
    folder = TinyModel(config={"vocab_size": SIZE}).save(tmp_path)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["fox"] = SIZE + 5
    write_json(folder / "tokenizer.json", tokenizer)
    model = SentenceTransformer(folder, backend=engine)
    assert model.encode("the").shape == (HIDDEN,)
    message = rf"{SIZE + 5} is among the input_ids of a text, the model has {SIZE} embeddings"
    with pytest.raises(DamagedFileError, match=message):
        model.encode(["the", "a fox"])


@pytest.mark.parametrize("types", [2, 0], ids=["in config.json", "unknown"])
def test_a_type_beyond_the_table(types: int, engine: str, tmp_path: Path) -> None:
    folder = TinyCrossEncoder(config={"type_vocab_size": types}).save(tmp_path)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["post_processor"]["pair"][-1]["SpecialToken"]["type_id"] = 5
    write_json(folder / "tokenizer.json", tokenizer)
    model = CrossEncoder(folder, backend=engine)
    with pytest.raises(
        EdgeSTError, match=r"5 is among the token_type_ids of a text, the model has 2 emb|idx=5 must be within"
    ):
        model.predict([("a", "fox")])


def test_a_table_with_room_to_spare(tmp_path: Path) -> None:
    model = load(TinyModel(config={"vocab_size": SIZE + 8}, tokenizer_config={"eos_token": "</s>"}), tmp_path)
    assert model.tokenizer.token_to_id("</s>") == SIZE


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([MEAN, dense(np.ones((5, HIDDEN + 1), dtype=np.float32))], f"takes {HIDDEN + 1} dimensions.*give {HIDDEN}"),
        (
            [MEAN, dense(np.ones((5, HIDDEN), dtype=np.float32)), dense(np.ones((3, 4), dtype=np.float32))],
            "Dense takes 4 dimensions.*give 5",
        ),
    ],
    ids=["after pooling", "one after the other"],
)
def test_dense_of_the_wrong_width(modules: list[Step], message: str, engine: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=message):
        SentenceTransformer(TinyModel(modules=modules).save(tmp_path), backend=engine)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([NORMALIZE], "Normalize reads 'sentence_embedding', but the modules before it give token_embeddings"),
        ([], "give token_embeddings, but no sentence embedding; check that modules.json names a Pooling"),
    ],
    ids=["no pooling", "nothing"],
)
def test_modules_without_a_pooling(modules: list[Step], message: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=message):
        load(TinyModel(modules=modules), tmp_path)


@pytest.mark.parametrize(("module", "config"), [(LSTM, {}), (LAYERS, ALL_LAYERS)], ids=["LSTM", "WeightedLayerPooling"])
def test_a_graph_without_what_only_a_graph_computes(module: Step, config: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=r"gives 'last_hidden_state', the output of the first module alone"):
        load(TinyModel(modules=[module, MEAN], config=config), tmp_path / "plain")
    graph = TinyGraph(outputs={"token_embeddings": "tokens"})
    model = load(TinyModel(modules=[module, MEAN], config=config, graph=graph), tmp_path / "whole")
    np.testing.assert_allclose(model.encode(["the fox"]), TinyModel().means(["the fox"]), atol=1e-5)


def test_layers_are_not_weighted_where_the_transformer_does_not_give_them(tmp_path: Path) -> None:
    model = load(TinyModel(modules=[LAYERS, MEAN]), tmp_path)
    np.testing.assert_allclose(model.encode(["the fox"]), TinyModel().means(["the fox"]), atol=1e-5)


def test_a_graph_of_tokens_where_the_transformer_pools(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path)
    write_json(folder / "sentence_bert_config.json", {"module_output_name": "sentence_embedding"})
    with pytest.raises(UnsupportedModelError, match="this model's Transformer must give 'sentence_embedding'"):
        SentenceTransformer(folder, backend="onnx")


def test_a_model_of_messages_without_a_template(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path)
    write_json(folder / "sentence_bert_config.json", {"modality_config": {"text": {}, "message": {}}})
    with pytest.raises(MissingFileError, match=r"chat_template\.jinja is missing"):
        SentenceTransformer(folder, backend="onnx")


@pytest.mark.parametrize("include_prompt", [True, False])
@pytest.mark.parametrize("length", [22, 30])
def test_a_prompt_that_leaves_no_room(length: int, include_prompt: bool, tmp_path: Path) -> None:
    model = load(TinyModel(modules=[("Pooling", {"include_prompt": include_prompt}, {})], limit=24), tmp_path)
    prompt = "fox " * length
    with pytest.raises(
        OptionError, match=rf"has {length + 1} tokens and max_seq_length is 24, so no text would be left"
    ):
        model.encode("the fox", prompt=prompt)
    assert model.encode("the fox", prompt="fox " * 21).shape == (HIDDEN,)
