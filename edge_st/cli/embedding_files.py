"""Write embeddings to .npy and .jsonl files, one row at a time."""

import json
from collections.abc import Iterable
from typing import Any, BinaryIO, TextIO, TypeAlias

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Row: TypeAlias = NDArray[Any]
Key: TypeAlias = tuple[str, str | int]


def write_npy(file: BinaryIO, rows: Iterable[Row], empty: Row) -> int:
    """Write rows (dim,) as one NumPy array (rows, dim); return their number, which need not be known before.

    ``empty`` (0, dim) gives the dimension and the dtype. NumPy pads the header, so that the number of rows can be
    written into it at the end.
    """
    _write_header(file, empty, 0)
    start, count = file.tell(), 0
    for count, row in enumerate(rows, 1):  # noqa: B007 (counted to be returned)
        file.write(np.ascontiguousarray(row, dtype=empty.dtype).tobytes())
    file.seek(0)
    _write_header(file, empty, count)
    if file.tell() != start:
        raise RuntimeError(f"the .npy header grew from {start} to {file.tell()} bytes")
    return count


def write_jsonl(file: TextIO, rows: Iterable[tuple[Key, Row]]) -> int:
    """Write a line ``{key: value, "embedding": [...]}`` for each row; return their number.

    Nine digits represent a float32 exactly.
    """
    count = 0
    for count, ((name, value), row) in enumerate(rows, 1):  # noqa: B007 (counted to be returned)
        numbers = ", ".join(map("%.9g".__mod__, row.tolist()))
        file.write(f'{{"{name}": {json.dumps(value)}, "embedding": [{numbers}]}}\n')
    return count


def _write_header(file: BinaryIO, empty: Row, count: int) -> None:
    shape = (count, *empty.shape[1:])
    header = {"descr": npy.dtype_to_descr(empty.dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(file, header)
