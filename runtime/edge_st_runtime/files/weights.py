"""Read ``.safetensors`` files: memory-mapped, without copies, without the safetensors package.

Source: the safetensors format (8-byte header length, JSON header, raw little-endian tensors).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFileError
from .reading import WrongValueError
from .regular import opening

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "?",
}  # fmt: skip
_LONGEST_HEADER = 100_000_000  # as the safetensors package has it


def read_safetensors(
    path: Path, repair: str = "export the model again or download the whole folder"
) -> dict[str, NDArray[Any]]:
    """All tensors of the file by name, as read-only views of the mapped file; bfloat16 is converted to float32.

    Raises MissingFileError, and DamagedFileError where the header does not describe exactly the bytes of the file.
    Error messages end with ``repair``.
    """
    with opening(path, repair):
        size = path.stat().st_size
        try:
            content = np.memmap(path, dtype=np.uint8, mode="r")
            header_end = 8 + int.from_bytes(content[:8].tobytes(), "little")
            header = json.loads(_part(content, 8, header_end, _LONGEST_HEADER).tobytes())
            header.pop("__metadata__", None)
            return _tensors(content[header_end:], header)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            why = f": {error}" if isinstance(error, WrongValueError) else ""
            raise DamagedFileError(
                f"{path} ({size} bytes) is truncated or not a safetensors file{why}; {repair}"
            ) from error


def _tensors(data: NDArray[np.uint8], header: dict[str, Any]) -> dict[str, NDArray[Any]]:
    found = {name: _tensor(data, entry) for name, entry in header.items()}
    described = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if described != data.size:
        raise WrongValueError(f"its header describes {described} of {data.size} bytes")
    return found


def _tensor(data: NDArray[np.uint8], entry: dict[str, Any]) -> NDArray[Any]:
    start, end = entry["data_offsets"]
    tensor = _part(data, start, end).view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == "BF16":
        return (tensor.astype(np.uint32) << 16).view(np.float32)
    return np.asarray(tensor)


def _part(content: NDArray[np.uint8], start: int, end: int, longest: int | None = None) -> NDArray[np.uint8]:
    if not 0 <= start <= end <= content.size or (longest is not None and end - start > longest):
        raise WrongValueError(f"it should have bytes {start} to {end}, but has {content.size}")
    return content[start:end]
