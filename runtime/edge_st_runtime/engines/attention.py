"""Where an ONNX graph computes attention: Softmax(Q·Kᵀ + …)·V, with nothing between that needs more than a row."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ..files.onnx_nodes import Node, integer_attribute

SOFTMAX = "Softmax"
_PRODUCTS = ("MatMul", "FusedMatMul")
#: operators that compute every row of their output from the same row of their inputs
_BY_ROW = ("Add", "Sub", "Mul", "Div", "Where", "Cast", "IsNaN", "Tanh", "Identity", SOFTMAX)
_LAST_AXES = (-1, 3)
_ELSEWHERE = -1


class Attention(NamedTuple):
    """Places of nodes: the product ``scores``, what is computed ``between``, and the product with V, ``mixed``."""

    scores: int
    between: tuple[int, ...]
    mixed: int


class _Climb(NamedTuple):
    product: int
    passed: frozenset[int]


def attentions(nodes: Sequence[Node], outputs: Collection[str]) -> Iterator[Attention]:
    """Every attention of a graph with these ``nodes`` in their order, of which nothing inside is read elsewhere.

    ``outputs`` are those of the graph.
    """
    climber = _Climber(nodes)
    readers = _readers(nodes, outputs)
    for place, node in enumerate(nodes):
        found = climber.from_output(node.inputs[0]) if node.operator in _PRODUCTS else None
        if found is None or not _is_attention(nodes, found.passed) or not _by_row(nodes[found.product], node):
            continue
        made = (name for each in (found.product, *found.passed) for name in nodes[each].outputs)
        if all(readers.get(name, set()) <= {*found.passed, place} for name in made):
            yield Attention(found.product, tuple(sorted(found.passed)), place)


def _is_attention(nodes: Sequence[Node], passed: Collection[int]) -> bool:
    """Whether among the nodes ``passed`` there is one Softmax, over the last axis."""
    axes = [integer_attribute(nodes[each], "axis") for each in passed if nodes[each].operator == SOFTMAX]
    return len(axes) == 1 and axes[0] in _LAST_AXES


def _by_row(*products: Node) -> bool:
    return not any(integer_attribute(product, name) for product in products for name in ("transA", "transBatchA"))


def _readers(nodes: Sequence[Node], outputs: Collection[str]) -> dict[str, set[int]]:
    readers = {name: {_ELSEWHERE} for name in outputs}
    for place, node in enumerate(nodes):
        for name in node.inputs:
            readers.setdefault(name, set()).add(place)
    return readers


class _Climber:
    """Climbs from a value to the only product that it is computed from row by row."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._made_by = {name: place for place, node in enumerate(nodes) for name in node.outputs}
        self._found: dict[str, _Climb | None] = {}

    def from_output(self, name: str) -> _Climb | None:
        if name not in self._found:
            place = self._made_by.get(name)
            self._found[name] = None if place is None else self._from_node(place)
        return self._found[name]

    def _from_node(self, place: int) -> _Climb | None:
        node = self._nodes[place]
        if node.operator in _PRODUCTS:
            return _Climb(place, frozenset())
        if node.operator not in _BY_ROW:
            return None
        found = [each for each in map(self.from_output, node.inputs) if each is not None]
        if len({each.product for each in found}) != 1:
            return None
        return _Climb(found[0].product, frozenset({place}).union(*(each.passed for each in found)))
