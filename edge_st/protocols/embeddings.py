"""The form in which a request wants its embeddings: how many dimensions, normalized or not, in which numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.vectors.dense import normalize, quantize

from ..models.sentence_transformer import SentenceTransformer
from .engine import Counts, Engine, Texts
from .fields import SWITCH, TEXT, WHOLE_NUMBER, RequestError, either, optional, shown

PRECISIONS = ("float32", "int8", "binary", "ubinary")
#: the second names are those of Voyage and Mistral, and LiteLLM sends them to other servers, too
PRECISION_FIELDS = ("precision", "output_dtype")
DIMENSION_FIELDS = ("dimensions", "output_dimension")


@dataclass(frozen=True)
class Form:
    """How embeddings are given; ``dimensions`` None are all of them. They are cut before they are normalized."""

    dimensions: int | None = None
    normalize: bool = True
    precision: str = "float32"


def form_of(body: Mapping[str, Any], *, normalize: bool = True) -> Form:
    """The form that a body asks for, normalized as ``normalize`` says where the body does not.

    Raises RequestError for a field that cannot be used.
    """
    _, dimensions = either(body, DIMENSION_FIELDS, WHOLE_NUMBER)
    name, precision = either(body, PRECISION_FIELDS, TEXT)
    return Form(dimensions, optional(body, "normalize", SWITCH, normalize), _precision(name, precision))


def _precision(name: str, value: str | None) -> str:
    if value == "uint8":
        raise RequestError(
            f"`{name}` is 'uint8', whose range would depend on the other texts of a request; ask for 'int8', which "
            "scales each embedding by itself",
            name,
        )
    if value in (None, "float"):
        return "float32"
    if value not in PRECISIONS:
        raise RequestError(f"`{name}` is {shown(value)}; expected one of {', '.join(PRECISIONS)}", name)
    return value


async def embed(engine: Engine, texts: Texts, form: Form) -> tuple[NDArray[Any], Counts]:
    """The embeddings of ``texts`` in their ``form``: (n, dim), for binary and ubinary (n, ceil(dim / 8)).

    They are float32, int8, for binary int8 and for ubinary uint8. Raises RequestError for more dimensions than the
    model has, and what `Engine.embed` raises.
    """
    model, dimensions = engine.model, form.dimensions
    if dimensions is not None and isinstance(model, SentenceTransformer):
        width = model.get_embedding_dimension()
        if dimensions > width:
            raise RequestError(f"`dimensions` is {shown(dimensions)}; this model has {width}", "dimensions")
    found, counts = await engine.embed(texts)
    return formed(found, form), counts


def formed(vectors: Floats, form: Form) -> NDArray[Any]:
    """``vectors`` (n, dim) float32 in their ``form``; the array is contiguous.

    int8 scales each vector by itself: its largest absolute value becomes 127. So a vector does not depend on the
    others, and keeps its direction. binary and ubinary are those of `edge_st_runtime.vectors.dense.quantize`.
    """
    vectors = np.ascontiguousarray(vectors[:, : form.dimensions])
    if form.normalize:
        vectors = normalize(vectors)
    if form.precision == "int8":
        largest = np.abs(vectors).max(axis=1, keepdims=True)
        return np.rint(vectors / np.where(largest == 0, np.float32(1), largest) * 127).astype(np.int8)
    return quantize(vectors, form.precision)
