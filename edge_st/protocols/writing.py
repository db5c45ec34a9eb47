"""Bodies of answers as JSON, without a package for it."""

import json
from typing import Any

import numpy as np


def plain(body: Any) -> Any:
    """``body`` with lists and numbers in place of NumPy's arrays and numbers."""
    if isinstance(body, np.ndarray | np.generic):
        return body.tolist()
    if isinstance(body, dict):
        return {name: plain(value) for name, value in body.items()}
    return [plain(value) for value in body] if isinstance(body, list) else body


def written(body: Any) -> str:
    """``body``, which may hold NumPy's arrays and numbers, as JSON."""
    return json.dumps(body, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
