"""The bodies of requests and answers as JSON, with orjson."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from ..protocols.fields import RequestError, shown


def parsed(content: bytes) -> Mapping[str, Any]:
    """The JSON object in ``content``; raises RequestError for anything else, such as NaN or a lone surrogate."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is no JSON ({error}); expected an object") from None
    if not isinstance(body, dict):
        raise RequestError(f"the body is {shown(body)}; expected an object")
    return body


def written(body: Any) -> bytes:
    """``body``, which may hold NumPy's arrays and numbers, as JSON; float32 is as short as it can be read back."""
    return orjson.dumps(body, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(value: Any) -> Any:
    """What orjson does not take: arrays that are not contiguous."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
