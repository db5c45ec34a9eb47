"""Word vectors and bags of words against naive loops over a text's words."""

from pathlib import Path

import numpy as np
import pytest

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.errors import DamagedFileError
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.model.loading import load_model
from edge_st_runtime.modules.word_vectors import open_bag, open_words
from edge_st_runtime.text.word_tokenizer import read_bag_tokenizer
from tests.support.tiny_models import write_json, write_safetensors
from tests.support.tiny_words import ROWS, VOCABULARY, write_words


def test_the_table_gives_rows(tmp_path: Path) -> None:
    ids = np.array([[1, 3], [4, 0]])
    np.testing.assert_array_equal(open_words(write_words(tmp_path)).run(TokenBatch(ids, ids)), ROWS[ids])


@pytest.mark.parametrize("cumulative", [True, False])
def test_bag_of_words(cumulative: bool, tmp_path: Path) -> None:
    vocabulary = ["cat", "sat", "cat", "Mat"]  # a word that comes twice is one
    config = {"vocab": vocabulary, "word_weights": {"cat": 0.5, "mat": 3}, "unknown_word_weight": 2}
    write_json(tmp_path / "config.json", config | {"cumulative_term_frequency": cumulative})
    tokens = read_bag_tokenizer(tmp_path)(["cat cat sat Mat", "sat"], None)
    assert [ids.tolist() for ids in tokens.ids] == [[0, 0, 1, 2], [1]]
    ids, mask = np.array([[0, 0, 1, 2], [1, 0, 0, 0]]), np.array([[1, 1, 1, 1], [1, 0, 0, 0]])
    expected = [[1.0 if cumulative else 0.5, 2, 3], [0, 2, 0]]
    np.testing.assert_allclose(open_bag(tmp_path).run(TokenBatch(ids, mask)), expected)


def test_a_vocabulary_larger_than_the_table(tmp_path: Path) -> None:
    entries = [("", "WordEmbeddings"), ("1", "Pooling")]
    write_json(
        tmp_path / "modules.json",
        [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in entries],
    )
    write_json(tmp_path / "1" / "config.json", {"pooling_mode": "mean"})
    write_words(tmp_path, vocab=[*VOCABULARY, "one more"])
    with pytest.raises(DamagedFileError, match="knows 11 tokens, the model has embeddings for 10"):
        load_model(tmp_path, LoadOptions())


def test_another_weight(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"weight": ROWS})
    with pytest.raises(DamagedFileError, match=r"holds weight; expected emb_layer\.weight"):
        open_words(tmp_path)
