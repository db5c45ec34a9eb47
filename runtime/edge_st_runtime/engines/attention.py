"""Where an ONNX graph computes attention: Softmax(Q·Kᵀ + …)·V, with nothing between that needs more than a row."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ..files.onnx_nodes import Node, integer_attribute

SOFTMAX = "Softmax"
_PRODUCTS = ("MatMul", "FusedMatMul")
#: operators that compute every row of their output from the same row of their inputs
_BY_ROW = ("Add", "Sub", "Mul", "Div", "Where", "Cast", "IsNaN", "Tanh", "Identity", SOFTMAX)
_LAST_AXES = (-1, 3)
_MOST = 32  # nodes between the products
_ELSEWHERE = -1


class Attention(NamedTuple):
    """Places of nodes: the product ``scores``, what is computed ``between``, and the product with V, ``mixed``."""

    scores: int
    between: tuple[int, ...]
    mixed: int


class _Source(NamedTuple):
    """The only product that a value is computed from row by row, and the nodes in between."""

    product: int
    between: frozenset[int]


def attentions(nodes: Sequence[Node], outputs: Collection[str]) -> Iterator[Attention]:
    """Every attention of a graph with these ``nodes`` in their order, of which nothing inside is read elsewhere.

    ``outputs`` are those of the graph.
    """
    sources, readers = _sources(nodes), _readers(nodes, outputs)
    for place, node in enumerate(nodes):
        source = sources.get(node.inputs[0]) if node.operator in _PRODUCTS else None
        if source is None or not _is_softmax(nodes, source.between) or not _by_row(nodes[source.product], node):
            continue
        made = (name for each in (source.product, *source.between) for name in nodes[each].outputs)
        if all(readers.get(name, set()) <= {*source.between, place} for name in made):
            yield Attention(source.product, tuple(sorted(source.between)), place)


def _sources(nodes: Sequence[Node]) -> dict[str, _Source]:
    """By name: the source of each value that has one."""
    found: dict[str, _Source] = {}
    for place, node in enumerate(nodes):
        source = _Source(place, frozenset()) if node.operator in _PRODUCTS else None
        if node.operator in _BY_ROW:
            read = [found[name] for name in node.inputs if name in found]
            between = frozenset({place}).union(*(each.between for each in read))
            if len({each.product for each in read}) == 1 and len(between) <= _MOST:
                source = _Source(read[0].product, between)
        if source is not None:
            found |= dict.fromkeys(node.outputs, source)
    return found


def _is_softmax(nodes: Sequence[Node], between: Collection[int]) -> bool:
    """Whether one of the nodes ``between`` is a Softmax, over the last axis."""
    axes = [integer_attribute(nodes[each], "axis") for each in between if nodes[each].operator == SOFTMAX]
    return len(axes) == 1 and axes[0] in _LAST_AXES


def _by_row(*products: Node) -> bool:
    return not any(integer_attribute(product, name) for product in products for name in ("transA", "transBatchA"))


def _readers(nodes: Sequence[Node], outputs: Collection[str]) -> dict[str, set[int]]:
    readers = {name: {_ELSEWHERE} for name in outputs}
    for place, node in enumerate(nodes):
        for name in node.inputs:
            readers.setdefault(name, set()).add(place)
    return readers
