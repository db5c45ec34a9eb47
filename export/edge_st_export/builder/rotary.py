"""Rotary positions as ONNX nodes. Source: RoFormer (arXiv 2104.09864), in the form of transformers' Llama."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from edge_st_runtime.arrays import Floats

from .attention import attend, heads_of, scaled
from .pieces import Map, Pieces
from .settings import Settings


class Rotation(NamedTuple):
    """Names of the cosines and sines of the places of a batch, (tokens, 1, size / 2) each."""

    cosines: str
    sines: str


def frequencies(base: float, size: int) -> Floats:
    """The angle by which each of the ``size`` / 2 pairs turns from one token to the next, in radians.

    The power is rounded once, as PyTorch's is nearly everywhere: NumPy's in float32 differs from CPU to CPU.
    """
    exponents = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
    powers = np.power(float(np.float32(base)), exponents.astype(np.float64)).astype(np.float32)
    return (np.float32(1) / powers).astype(np.float32, copy=False)


def read_frequencies(
    settings: Settings, size: int, base: float, *, key: str = "rope_theta", kind: str = "", scaled_in_4: bool = True
) -> Floats:
    """The frequencies that config.json says, as transformers 4 and 5 write it; ``base`` is the default.

    transformers 5 says all in rope_parameters, where ``kind`` is the type of the layers in models with several, such as
    "sliding_attention"; transformers 4 has the base in ``key``, and rope_scaling if these layers are ``scaled_in_4``.
    Raises UnsupportedModelError for a scheme of scaling that is not in `_SCHEMES`.
    """
    said = settings.get("rope_parameters", {})
    said = said.get(kind, said) if kind else said
    scaling = said or (settings.get("rope_scaling", {}) if scaled_in_4 else {})
    scheme = scaling.get("rope_type", scaling.get("type", "default"))
    if scheme not in _SCHEMES or scaling.get("partial_rotary_factor", 1) != 1 or scaling.get("mixed_b"):
        raise settings.refusal(
            f"the scaling of rotary positions is {dict(scaling)!r}", f"{', '.join(_SCHEMES)} of all of a head"
        )
    base = float(said.get("rope_theta") or settings.get(key, base))
    return _SCHEMES[scheme](base, size, float(scaling.get("factor", 1)))


def _linear(base: float, size: int, factor: float) -> Floats:
    return frequencies(base, size) / np.float32(factor)


def _ntk(base: float, size: int, factor: float) -> Floats:
    """The base is larger, and all turn slower. Source: Alibaba-NLP/new-impl, after kexue.fm/archives/9706."""
    if factor <= 1:
        return frequencies(base, size)
    return (frequencies(base * factor, size) / np.float32(factor ** (2 / size))).astype(np.float32, copy=False)


#: the schemes by which frequencies are scaled for texts longer than those of the training; "ntk" is GTE's own
_SCHEMES = {"default": lambda base, size, _: frequencies(base, size), "linear": _linear, "ntk": _ntk}


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


def attend_rotated(
    pieces: Pieces, x: str, queries: str, path: str, maps: Sequence[Map], heads: int, turn: Rotation, bias: str
) -> str:
    """The attention of ``queries`` to all tokens ``x``, (batch, queries, width), by the ``maps`` to Q, K and V.

    ``queries`` is ``x`` or its first token, which does not turn. ``path`` begins the names of the weights; ``bias`` is
    added to the attention.
    """
    graph, width = pieces.graph, len(maps[0][0])
    size = width // heads
    maps = [scaled(maps[0], size), *maps[1:]]
    if queries is x:
        packed = pieces.mapped(x, f"{path}query_key_value", maps)
        both, values = graph.node("Split", packed, graph.integers(2 * width, width), outputs=2, axis=-1)
        turned = rotated(pieces, heads_of(pieces, both, 2 * heads, size), turn)
        q, k = graph.node("Split", turned, outputs=2, axis=2, num_outputs=2)
    else:
        keys, values = pieces.halves(pieces.mapped(x, f"{path}key_value", maps[1:]))
        k = rotated(pieces, heads_of(pieces, keys, heads, size), turn)
        q = heads_of(pieces, pieces.mapped(queries, f"{path}query", maps[:1]), heads, size)
    return attend(pieces, q, k, heads_of(pieces, values, heads, size), bias, width)
