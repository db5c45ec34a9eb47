"""Static embeddings against the naive mean of a text's rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.errors import DamagedFileError
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.model.loading import LoadedModel, load_model
from edge_st_runtime.modules.static import open_static
from tests.support.tiny_models import write_json, write_safetensors, write_static
from tests.support.tiny_tokenizers import NASTY, random_texts, wordpiece

VOCABULARY = wordpiece().get_vocab_size()
generator = np.random.default_rng(11)
ROWS = generator.integers(-127, 128, (VOCABULARY, 6), dtype=np.int8)
SCALES = generator.uniform(0.001, 0.01, VOCABULARY).astype(np.float32)
FLOATS = (ROWS * SCALES[:, None]).astype(np.float32)
TEXTS = ["", *NASTY, *random_texts(60), "a fox " * 300, "seven small boats " * 8000]
FEW, MAPPING = FLOATS[:20], generator.integers(0, 20, VOCABULARY)
WEIGHTS = generator.uniform(0, 2, VOCABULARY).astype(np.float32)
#: tensors in model.safetensors, and the vector that each token then has
LAYOUTS: dict[str, tuple[dict[str, NDArray[Any]], NDArray[Any]]] = {
    "int8": ({"embedding.weight": ROWS, "embedding.scale": SCALES}, FLOATS),
    "float32": ({"embedding.weight": FLOATS}, FLOATS),
    "float64": ({"embedding.weight": FLOATS.astype("f8")}, FLOATS),
    "Model2Vec": ({"embeddings": FLOATS}, FLOATS),
    "Model2Vec int8": ({"embeddings": ROWS}, ROWS),
    "Model2Vec weights": ({"embeddings": ROWS, "weights": WEIGHTS}, ROWS * WEIGHTS[:, None]),
    "Model2Vec mapping": ({"embeddings": FEW, "mapping": MAPPING}, FEW[MAPPING]),
    "Model2Vec mapping, int32": ({"embeddings": FEW, "mapping": MAPPING.astype("i4")}, FEW[MAPPING]),
    "Model2Vec both": (
        {"embeddings": ROWS[:20], "mapping": MAPPING, "weights": WEIGHTS.astype("f8")},
        ROWS[:20][MAPPING] * WEIGHTS[:, None],
    ),
}


def encode(model: LoadedModel, texts: list[str]) -> NDArray[np.float32]:
    found = np.full((len(texts), 6), np.nan, dtype=np.float32)
    batches = model.routes[""].pipeline.run(
        texts, lambda features: features["sentence_embedding"], limit=None, batch_size=32
    )
    for rows, vectors in batches:
        found[rows] = vectors
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mean_of_the_rows(layout: str, tmp_path: Path) -> None:
    tensors, rows = LAYOUTS[layout]
    model = load_model(write_static(tmp_path, wordpiece(), tensors), LoadOptions())
    assert model.routes[""].limit is None
    ids = [encoding.ids for encoding in wordpiece().encode_batch(TEXTS, add_special_tokens=False)]
    expected = [rows[own].astype(np.float64).mean(axis=0) if own else np.zeros(6) for own in ids]
    np.testing.assert_allclose(encode(model, TEXTS), expected, rtol=1e-5, atol=1e-6 * np.abs(rows).max())


def test_float16_rows(tmp_path: Path) -> None:
    model = load_model(write_static(tmp_path, wordpiece(), {"embedding.weight": FLOATS.astype("f2")}), LoadOptions())
    ids = wordpiece().encode("quick fox", add_special_tokens=False).ids
    np.testing.assert_allclose(encode(model, ["quick fox"]), [FLOATS[ids].mean(axis=0)], rtol=1e-3, atol=1e-3)


def test_empty_text_is_zeros(tmp_path: Path) -> None:
    model = load_model(write_static(tmp_path, wordpiece(), LAYOUTS["int8"][0]), LoadOptions())
    np.testing.assert_array_equal(encode(model, ["", "fox", ""])[[0, 2]], np.zeros((2, 6)))
    np.testing.assert_array_equal(encode(model, [""]), np.zeros((1, 6)))


def test_weights_are_digested_whatever_the_engine_options(tmp_path: Path) -> None:
    folder = write_static(tmp_path, wordpiece(), LAYOUTS["int8"][0])
    model = load_model(folder, LoadOptions(backend="onnx", num_threads=3))
    assert model.routes[""].pipeline.backend.info()["engine"] == "numpy"


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"weight": FLOATS}, "holds weight; expected a matrix embedding.weight or embeddings"),
        ({"embeddings": FLOATS[0]}, "expected a matrix"),
        ({"embedding.weight": ROWS}, "int8 rows but no embedding.scale"),
        (
            {"embedding.weight": ROWS, "embedding.scale": SCALES[1:]},
            r"and embedding.scale of shape .*; expected \(",
        ),
        ({"embeddings": FLOATS, "weights": WEIGHTS[1:]}, r"rows and weights of shape .*; expected \("),
        ({"embeddings": FLOATS > 0}, "expected a matrix"),
        ({"embeddings": FEW, "mapping": MAPPING[:, None]}, r"mapping of shape \(\d+, 1\)"),
        ({"embeddings": FEW, "mapping": MAPPING.astype("f4")}, "a mapping of .*, float32, that does not give each"),
        ({"embeddings": FEW, "mapping": MAPPING - 1}, "does not give each token a row"),
        ({"embeddings": FEW, "mapping": MAPPING + 1}, "does not give each token a row"),
    ],
    ids=[
        "other names",
        "a vector",
        "no scales",
        "too few scales",
        "too few weights",
        "no numbers",
        "a matrix as mapping",
        "a mapping of floats",
        "a negative row",
        "a row beyond the table",
    ],
)
def test_damaged_tables(tensors: dict[str, NDArray[Any]], message: str, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", tensors)
    with pytest.raises(DamagedFileError, match=message):
        open_static(tmp_path)


def test_token_without_a_row(tmp_path: Path) -> None:
    folder = write_static(tmp_path, wordpiece(), LAYOUTS["float32"][0])
    ids = np.array([[3, VOCABULARY]])
    with pytest.raises(DamagedFileError, match=rf"token {VOCABULARY} has no row among the {VOCABULARY}"):
        open_static(folder).run(TokenBatch(ids, np.ones_like(ids)))


def test_a_vocabulary_larger_than_the_table(tmp_path: Path) -> None:
    folder = write_static(tmp_path, wordpiece(), {"embedding.weight": FLOATS[:-1]})
    with pytest.raises(
        DamagedFileError, match=rf"knows {VOCABULARY} tokens, the model has embeddings for {VOCABULARY - 1}"
    ):
        load_model(folder, LoadOptions())


def test_modules_follow_the_table(tmp_path: Path) -> None:
    folder = write_static(tmp_path, wordpiece(), LAYOUTS["float32"][0])
    entries = [
        {"path": path, "type": f"sentence_transformers.models.{kind}"}
        for path, kind in (("", "StaticEmbedding"), ("1", "Normalize"))
    ]
    write_json(folder / "modules.json", entries)
    found = encode(load_model(folder, LoadOptions()), ["the quick fox"])
    mean = FLOATS[wordpiece().encode("the quick fox", add_special_tokens=False).ids].mean(axis=0)
    np.testing.assert_allclose(found, [mean / np.linalg.norm(mean)], atol=1e-6)
