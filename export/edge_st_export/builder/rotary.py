"""Rotary positions as ONNX nodes. Source: RoFormer (arXiv 2104.09864), in the form of transformers' Llama."""

from typing import NamedTuple

import numpy as np

from edge_st_runtime.arrays import Floats

from .pieces import Pieces
from .settings import Settings


class Rotation(NamedTuple):
    """Names of the cosines and sines of the places of a batch, (tokens, 1, size / 2) each."""

    cosines: str
    sines: str


def frequencies(base: float, size: int) -> Floats:
    """The angle by which each of the ``size`` / 2 pairs turns from one token to the next, in radians."""
    exponents = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
    return np.float32(1) / np.power(np.float32(base), exponents)


def read_frequencies(settings: Settings, size: int, base: float, *, key: str = "rope_theta", kind: str = "") -> Floats:
    """The frequencies that config.json says, as transformers 4 and 5 write it; ``base`` is the default.

    transformers 5 says all in rope_parameters, where ``kind`` is the type of the layers in models with several, such as
    "sliding_attention"; transformers 4 has the base in ``key``, and rope_scaling. Raises UnsupportedModelError for
    frequencies that are scaled in another way than linearly.
    """
    said = settings.get("rope_parameters", {})
    said = said.get(kind, said) if kind else said
    scaling = said or settings.get("rope_scaling", {})
    scheme = scaling.get("rope_type", scaling.get("type", "default"))
    if scheme not in ("default", "linear"):
        raise settings.refusal(f"the rope_type is {scheme!r}", "'default' or 'linear'")
    if scaling.get("partial_rotary_factor", 1) != 1:
        raise settings.refusal(f"partial_rotary_factor is {scaling['partial_rotary_factor']}", "1")
    found = frequencies(float(said.get("rope_theta") or settings.get(key, base)), size)
    return found / np.float32(scaling["factor"]) if scheme == "linear" else found


def rotation(pieces: Pieces, turns: Floats, longest: int) -> Rotation:
    """The rotation of every place by the frequencies ``turns``, (size / 2); texts have at most ``longest`` tokens.

    The tables are constants, so that they are exact in a graph that is converted to float16, too.
    """
    angles = np.arange(longest, dtype=np.float32)[:, None, None] * turns
    name = f"rotary_{turns.size}_{float(turns[-1])!r}"
    tables = (
        pieces.graph.weight(f"{name}_{part.__name__}", part(angles.astype(np.float64)).astype(np.float32))
        for part in (np.cos, np.sin)
    )
    zero = pieces.graph.integers(0)
    return Rotation(*(pieces.graph.apply("Slice", table, zero, pieces.tokens(), zero) for table in tables))


def rotated(pieces: Pieces, x: str, turn: Rotation) -> str:
    """Turn ``x`` (batch, tokens, heads, size), in which the two halves of a head are the pairs' coordinates."""
    graph = pieces.graph
    one, other = pieces.halves(x)
    across = graph.apply("Sub", graph.apply("Mul", one, turn.cosines), graph.apply("Mul", other, turn.sines))
    up = graph.apply("Add", graph.apply("Mul", other, turn.cosines), graph.apply("Mul", one, turn.sines))
    return graph.apply("Concat", across, up, axis=-1)
