"""The .safetensors reader: every dtype, and damaged files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st_runtime.errors import DamagedFileError, MissingFileError
from edge_st_runtime.files.weights import read_safetensors
from tests.support.tiny_models import write_header, write_safetensors

DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype(dtype: str, tmp_path: Path) -> None:
    array = np.array([[0, 1, 2], [120, 5, 1]]).astype(dtype)
    found = read_safetensors(write_safetensors(tmp_path / "x.safetensors", {"odd": np.ones(3, "i1"), "a": array}))
    assert found["a"].dtype == array.dtype
    np.testing.assert_array_equal(found["a"], array)
    np.testing.assert_array_equal(found["odd"], [1, 1, 1])
    assert set(found) == {"odd", "a"}


def test_bfloat16_is_widened(tmp_path: Path) -> None:
    values = np.array([1.0, -2.5, 3.140625, 0.0, -np.inf], dtype=np.float32)
    upper_halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    found = read_safetensors(write_safetensors(tmp_path / "x.safetensors", {"a": upper_halves}, a="BF16"))
    assert found["a"].dtype == np.float32
    np.testing.assert_array_equal(found["a"], values)


def test_scalars_and_empty_tensors(tmp_path: Path) -> None:
    tensors = {"scalar": np.array(3, dtype="f4"), "empty": np.empty((0, 4), dtype="f4")}
    found = read_safetensors(write_safetensors(tmp_path / "x.safetensors", tensors))
    assert found["scalar"] == 3
    assert found["empty"].shape == (0, 4)


def test_arrays_are_views_that_cannot_be_written(tmp_path: Path) -> None:
    found = read_safetensors(write_safetensors(tmp_path / "x.safetensors", {"a": np.ones(3)}))["a"]
    with pytest.raises(ValueError, match=r"read-only"):
        found[0] = 2


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", {"a": np.ones((2, 2), dtype="f4")})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DamagedFileError, match=r"x.safetensors"):
            read_safetensors(path)


def entry(**changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16], **changes}


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry(data_offsets=[0, 20])},
        {"a": entry(data_offsets=[16, 32])},
        {"a": entry(data_offsets=[-16, 0])},
        {"a": entry(data_offsets=[16, 0])},
        {"a": entry(data_offsets=[0, 2**70])},
        {"a": entry(data_offsets=[0])},
        {"a": entry(data_offsets="ab")},
        {"a": entry(shape=[2, 3])},
        {"a": entry(shape=[2**40, 2**40])},
        {"a": entry(shape="2, 2")},
        {"a": entry(dtype="F64")},
        {"a": entry(dtype="F8_E5M2")},
        {"a": {"dtype": "F32"}},
        {"a": [0, 16]},
        [entry()],
        "a",
        None,
    ],
    ids=repr,
)
def test_header_that_lies(header: Any, tmp_path: Path) -> None:
    path = write_header(tmp_path / "x.safetensors", json.dumps(header).encode(), np.ones(4, dtype="f4").tobytes())
    with pytest.raises(DamagedFileError, match=r"x.safetensors"):
        read_safetensors(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 8 + b"{}",
        b"\x02" + b"\0" * 7 + b"\xff\xfe",
        b"\x05" + b"\0" * 7 + b"{'a':",
        b"version https://git-lfs",
    ],
    ids=["endless header", "no text", "no JSON", "pointer file"],
)
def test_other_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"x.safetensors"):
        read_safetensors(tmp_path / "x.safetensors")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"x.safetensors is missing"):
        read_safetensors(tmp_path / "x.safetensors")
