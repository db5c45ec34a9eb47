"""PyTorch's attention while a model is traced."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def finite_masks() -> Iterator[None]:
    """Give `torch.nn.functional.scaled_dot_product_attention` masks of numbers in place of truth values.

    Graphs differ from PyTorch in what a token gets that may look at no other, as padding may not in local attention:
    NaN in OpenVINO, and operators in every layer that look for such tokens in ONNX. With numbers it gets a mean.
    """
    attend = torch.nn.functional.scaled_dot_product_attention

    def attend_to_finite(query: Any, key: Any, value: Any, attn_mask: Any = None, *args: Any, **kwargs: Any) -> Any:
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            least = torch.finfo(query.dtype).min
            attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill(~attn_mask, least)
        return attend(query, key, value, attn_mask, *args, **kwargs)

    torch.nn.functional.scaled_dot_product_attention = attend_to_finite
    try:
        yield
    finally:
        torch.nn.functional.scaled_dot_product_attention = attend
