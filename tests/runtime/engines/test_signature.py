"""What a graph's inputs and outputs mean."""

import numpy as np
import pytest

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.engines.signature import Port, resolve_signature
from edge_st_runtime.errors import UnsupportedModelError

IDS = Port("input_ids", np.dtype(np.int64), 2)
MASK = Port("attention_mask", np.dtype(np.int64), 2)


def ports(**ranks: int | None) -> list[Port]:
    return [Port(name, np.dtype(np.float32), rank) for name, rank in ranks.items()]


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (ports(last_hidden_state=3), ("last_hidden_state", "token_embeddings")),
        (ports(pooler_output=2, last_hidden_state=3), ("last_hidden_state", "token_embeddings")),
        (ports(token_embeddings=3, sentence_embedding=2), ("token_embeddings", "token_embeddings")),
        (ports(text_embeds=3), ("text_embeds", "token_embeddings")),
        (ports(output_0=3, other=3), ("output_0", "token_embeddings")),
        (ports(attentions=3, last_hidden_state=3), ("last_hidden_state", "token_embeddings")),
        (ports(sentence_embedding=2), ("sentence_embedding", "sentence_embedding")),
        (ports(text_embeds=2), ("text_embeds", "sentence_embedding")),
        (ports(pooler_output=2, embedding=2), ("embedding", "sentence_embedding")),
        (ports(other=2, sentence_embedding=2), ("sentence_embedding", "sentence_embedding")),
    ],
)
def test_outputs(outputs: list[Port], expected: tuple[str, str]) -> None:
    signature = resolve_signature("model.onnx", [IDS, MASK], outputs)
    assert (signature.output, signature.meaning) == expected


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (ports(logits=2), ("logits", "scores")),
        (ports(last_hidden_state=3, scores=2), ("scores", "scores")),
        (ports(sentence_embedding=2, logits=2), ("logits", "scores")),
        (ports(last_hidden_state=3, logits=3), ("last_hidden_state", "token_embeddings")),
        (ports(sentence_embedding=2), ("sentence_embedding", "sentence_embedding")),
    ],
)
def test_outputs_that_compare_two_texts(outputs: list[Port], expected: tuple[str, str]) -> None:
    signature = resolve_signature("model.onnx", [IDS, MASK], outputs, scores=True)
    assert (signature.output, signature.meaning) == expected


PRUNED = ports(sentence_embedding=2, active_values=2, active_indices=2)
MOST = Port("max_active_dims", np.dtype(np.int64), 1)


@pytest.mark.parametrize("given", [3, np.int32(3), np.int64(3)], ids=type)
def test_a_graph_that_prunes(given: int) -> None:
    signature = resolve_signature("model.onnx", [IDS, MASK, MOST], PRUNED)
    assert (signature.output, signature.meaning, signature.prunes) == (*["sentence_embedding"] * 2, True)
    feeds = signature.feeds(BATCH, given)
    assert sorted(feeds) == ["attention_mask", "input_ids", "max_active_dims"]
    assert (feeds["max_active_dims"].tolist(), feeds["max_active_dims"].dtype) == ([3], np.int64)


def test_a_graph_that_prunes_without_its_outputs() -> None:
    with pytest.raises(UnsupportedModelError, match=r"has the inputs \['max_active_dims'\]"):
        resolve_signature("model.onnx", [IDS, MASK, MOST], PRUNED[:2])


@pytest.mark.parametrize("outputs", [ports(logits=2), ports(pooler_output=2), ports(x=1), ports(x=None), []])
def test_outputs_without_an_embedding(outputs: list[Port]) -> None:
    with pytest.raises(UnsupportedModelError, match=r"model.onnx has the outputs .*; expected token embeddings"):
        resolve_signature("model.onnx", [IDS, MASK], outputs)


@pytest.mark.parametrize("name", ["pixel_values", "past_key_values.0.key"])
def test_inputs_that_cannot_be_fed(name: str) -> None:
    with pytest.raises(UnsupportedModelError, match=rf"model.onnx has the inputs \['{name}'\]"):
        resolve_signature("model.onnx", [IDS, Port(name, np.dtype(np.float32), 4)], ports(last_hidden_state=3))


BATCH = TokenBatch(np.array([[5, 6, 7], [8, 9, 0]]), np.array([[1, 1, 1], [1, 1, 0]]), np.array([[0, 1, 1], [0, 1, 0]]))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_feeds_are_what_the_graph_asks_for(dtype: type) -> None:
    names = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
    signature = resolve_signature("m", [Port(name, np.dtype(dtype), 2) for name in names], ports(x=3))
    feeds = signature.feeds(BATCH)
    assert {name: array.dtype for name, array in feeds.items()} == dict.fromkeys(names, np.dtype(dtype))
    expected = (BATCH.input_ids, BATCH.attention_mask, BATCH.token_type_ids, [[0, 1, 2], [0, 1, 1]])
    for name, array in zip(names, expected, strict=True):
        np.testing.assert_array_equal(feeds[name], array)


def test_feeds_without_what_the_graph_does_not_ask_for() -> None:
    signature = resolve_signature("m", [IDS, MASK], ports(x=3))
    assert set(signature.feeds(BATCH)) == {"input_ids", "attention_mask"}


def test_types_and_positions_of_left_padding() -> None:
    names = ("token_type_ids", "position_ids")
    signature = resolve_signature("m", [Port(name, np.dtype(np.int64), 2) for name in names], ports(x=3))
    feeds = signature.feeds(TokenBatch(np.array([[0, 0, 5, 6]]), np.array([[0, 0, 1, 1]])))
    np.testing.assert_array_equal(feeds["token_type_ids"], [[0, 0, 0, 0]])
    np.testing.assert_array_equal(feeds["position_ids"], [[0, 0, 0, 1]])
