"""Token vectors in few bytes: how near to them what is stored is, and what a codec refuses."""

from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError, InputError, OptionError
from edge_st_runtime.search.late.clusters import centroids_of, nearest_of
from edge_st_runtime.search.late.codec import PRECISIONS, TokenCodec
from edge_st_runtime.search.late.levels import LEVELS
from edge_st_runtime.search.late.workspace import Workspace
from tests.support.late_passages import clustered

DIM = 24
#: by precision, the cosine that stored vectors have with the originals in the mean, and the bytes of a token
EXPECTED = {"int8": (0.9999, 28), "int4": (0.99, 16), "int2": (0.9, 10)}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_is_stored_is_near(precision: str) -> None:
    vectors = clustered(3000, DIM)
    codec = TokenCodec.trained(vectors, precision)
    columns = codec.encode(vectors)
    for name, (dtype, width) in codec.columns.items():
        assert (columns[name].dtype, columns[name].shape) == (dtype, (len(vectors), width))
    decoded = codec.decode(columns)
    assert (decoded.dtype, decoded.shape) == (np.float32, vectors.shape)
    cosines = (decoded * vectors).sum(axis=1) / np.linalg.norm(decoded, axis=1) / np.linalg.norm(vectors, axis=1)
    least, size = EXPECTED[precision]
    assert cosines.mean() > least
    assert codec.bytes_per_token == size == sum(column[0].nbytes for column in columns.values())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("dim", [1, 3, 8, 13])
def test_any_number_of_dimensions(precision: str, dim: int) -> None:
    vectors = np.random.default_rng(1).standard_normal((200, dim)).astype(np.float32) * 5
    vectors[3] = 0
    codec = TokenCodec.trained(vectors, precision)
    decoded = codec.decode(codec.encode(vectors))
    errors = np.linalg.norm(decoded - vectors, axis=1) / np.sqrt(dim)
    assert errors.max() < {"int8": 0.1, "int4": 2.5, "int2": 8.0}[precision]
    np.testing.assert_array_equal(codec.encode(vectors[5:6])["codes"], codec.encode(vectors)["codes"][5:6])
    assert codec.decode(codec.encode(vectors[:0])).shape == (0, dim)


@pytest.mark.parametrize(("bits", "expected"), [(2, 0.1175), (4, 0.0095), (8, 0.0003)])
def test_the_error_of_normal_numbers_is_the_least_that_levels_have(bits: int, expected: float) -> None:
    """As Max (1960) computed it for two and four bits."""
    levels, numbers = LEVELS[bits], np.random.default_rng(2).standard_normal((200, 512)).astype(np.float32)
    codes, scales = levels.encode(numbers)
    assert codes.shape == (200, 64 * bits)
    decoded = levels.decode(codes, 512, Workspace()) * scales.astype(np.float32)[:, None]
    assert np.mean((numbers - decoded) ** 2) < 1.02 * expected
    with pytest.raises(InputError, match="too large to be stored"):
        levels.encode(np.full((1, 4), 1e30, dtype=np.float32))


def test_one_token_makes_a_codec_for_all_others() -> None:
    vectors = clustered(500, DIM)
    codec = TokenCodec.trained(vectors[:1], "int8")
    assert codec.centroids.shape == (1, DIM)
    np.testing.assert_allclose(codec.decode(codec.encode(vectors)), vectors, atol=0.02)


def test_the_same_sample_makes_the_same_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large one a part is taken, and no more centroids than the most."""
    monkeypatch.setattr("edge_st_runtime.search.late.codec._SAMPLE", 600)
    monkeypatch.setattr("edge_st_runtime.search.late.codec._MOST_CENTROIDS", 32)
    vectors = clustered(1000, 4)
    first, second = (TokenCodec.trained(vectors, "int4") for _ in range(2))
    assert len(first.centroids) == 32
    np.testing.assert_array_equal(first.centroids, second.centroids)
    np.testing.assert_array_equal(first.rotation, second.rotation)
    with pytest.raises(OptionError, match="precision is 'int3'; expected one of 'int8', 'int4', 'int2'"):
        TokenCodec.trained(vectors, "int3")


def test_parameters_come_back() -> None:
    vectors = clustered(400, DIM)
    codec = TokenCodec.trained(vectors, "int4")
    again = TokenCodec.from_parameters("int4", DIM, codec.parameters())
    for name, column in codec.encode(vectors).items():
        np.testing.assert_array_equal(again.encode(vectors)[name], column)


def _changed(name: str, found: Any) -> dict[str, Any]:
    return {**TokenCodec.trained(clustered(100, 4), "int4").parameters(), name: found}


@pytest.mark.parametrize(
    ("name", "found", "message"),
    [
        ("rotation", np.eye(3, dtype=np.float32), r"rotation is float32 of shape \(3, 3\); expected finite float32"),
        ("rotation", np.ones((5, 4), dtype=np.float32), "centroids; expected"),
        ("rotation", np.eye(4), r"rotation is float64 of shape \(4, 4\)"),
        ("centroids", np.zeros((0, 4), dtype=np.float32), r"centroids is float32 of shape \(0, 4\)"),
        ("centroids", np.full((1, 4), np.nan, dtype=np.float32), "centroids is float32"),
        ("centroids", np.zeros((5000, 4), dtype=np.float32), "there are 5000 centroids; expected 1 to 4096"),
        ("centroids", None, "centroids is nothing"),
    ],
)
def test_parameters_that_no_codec_gives(name: str, found: Any, message: str) -> None:
    with pytest.raises(DamagedFileError, match=message):
        TokenCodec.from_parameters("int4", 4, _changed(name, found))


def test_centroids_are_the_means_of_what_is_nearest_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_st_runtime.search.late.clusters._AT_ONCE", 50)
    corners = np.array([[0, 0], [10, 0], [0, 10]], dtype=np.float32)
    noise = np.random.default_rng(0).uniform(-1, 1, (90, 2)).astype(np.float32)
    sample = np.repeat(corners, 30, axis=0) + noise
    found = centroids_of(sample, 3, np.random.default_rng(0))
    nearest = nearest_of(sample, found)
    expected = ((sample[:, None] - found[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert nearest.tolist() == expected.tolist()
    for number in set(nearest.tolist()):
        np.testing.assert_allclose(found[number], sample[nearest == number].mean(axis=0), atol=0.5)
    assert nearest_of(sample[:0], found).tolist() == []
