"""Attention in blocks of queries, so that a long text's whole attention is never in memory.

For a few queries of one head attention is the same computation, row by row, so masks, relative positions and windows
stay what they are. The nodes of an attention go into the body of a Scan over blocks of queries, within a Scan over
heads. They get the block's rows of Q and of all that is added or compared, and the head's K and V.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from ..files.onnx_graphs import Data, bytes_field, fields, opset_of
from ..files.onnx_nodes import Node, encoded, make_node, read_node
from .attention import SOFTMAX, attentions
from .graph_scope import Scope

#: queries: with fewer, K and V are packed too often; with more, a head's scores do not stay in cache
BLOCK = 128
_GRAPH, _NODE, _OUTPUT, _SHAPES, _NAME = 7, 1, 12, 13, 1
_BOOL = 9
_LEAST_OPSET = 11  # the first with Range


def in_blocks(data: Data) -> bytes | None:
    """The ONNX file ``data`` with its attention in blocks; None where it has none. Raises ValueError.

    None too where the graph's operators are older than those that the blocks are written with.
    """
    parts, found = [], False
    if opset_of(data) < _LEAST_OPSET:
        return None
    for number, begin, stop, whole in _messages(data, 0, len(data)):
        graph = _graph(data, begin, stop) if number == _GRAPH else None
        parts.append(data[whole:stop] if graph is None else bytes_field(_GRAPH, graph))
        found = found or graph is not None
    return b"".join(parts) if found else None


def _messages(data: Data, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The number of each field at this place, where its value begins and ends, and where the field itself begins."""
    for number, _, begin, stop in fields(data, start, end):
        yield number, begin, stop, start
        start = stop


def _graph(data: Data, start: int, end: int) -> bytes | None:
    """The graph at this place with its attention in blocks; None where it has none."""
    messages = list(_messages(data, start, end))
    written = [data[whole:stop] for number, _, stop, whole in messages if number == _NODE]
    nodes = [read_node(data, begin, stop) for number, begin, stop, _ in messages if number == _NODE]
    outputs = {_name(data, begin, stop) for number, begin, stop, _ in messages if number == _OUTPUT}
    found = list(attentions(nodes, outputs))
    scope = Scope()
    for scores, between, mixed in found:
        for place in (scores, *between):
            written[place] = b""
        own = scope.within()
        _write(own, nodes[scores], [nodes[place] for place in between], nodes[mixed])
        written[mixed] = _encoded(own.nodes)
    others = [data[whole:stop] for number, _, stop, whole in messages if number not in (_NODE, _SHAPES)]
    return b"".join([*others, _encoded(scope.constants.values()), *written]) if found else None


def _name(data: Data, start: int, end: int) -> str:
    names = [data[begin:stop] for number, begin, stop, _ in _messages(data, start, end) if number == _NAME]
    return names[0].decode() if names else ""


def _encoded(nodes: Iterable[Node]) -> bytes:
    return b"".join(bytes_field(_NODE, encoded(node)) for node in nodes)


def _write(scope: Scope, scores: Node, between: Sequence[Node], mixed: Node) -> None:
    """Write the output of ``mixed`` from the inputs of these nodes."""
    shape, one = scope.apply("Shape", scores.inputs[0]), scope.constant(1)
    lead, tokens = scope.part(shape, 0, -2), scope.part(shape, -2, -1)
    size = scope.lesser(tokens, scope.constant(BLOCK))
    last = scope.apply("Sub", tokens, size)
    places, surplus = scope.counted(tokens, one), scope.apply("Mod", scope.apply("Neg", tokens), size)
    read = (*scores.inputs, mixed.inputs[1], *_others(scores, between))
    blocks = _Blocks(
        scores,
        between,
        mixed,
        {name: _stack(scope, name, lead) for name in read},
        size,
        starts=scope.lesser(scope.counted(tokens, size), last),
        kept=scope.apply("Where", scope.apply("Less", places, last), places, scope.apply("Add", places, surplus)),
    )
    heads = scope.counted(scope.apply("ReduceProd", lead, keepdims=0), one)
    stacked = _where_added(scope, blocks, heads)
    columns = scope.part(scope.apply("Shape", stacked), -1)
    scope.nodes.append(make_node("Reshape", [stacked, scope.joined(lead, tokens, columns)], mixed.outputs))


class _Stack(NamedTuple):
    """A tensor as ``matrices`` (n, rows, columns), of which a head takes number ``by_head`` (heads,).

    ``rows`` (1,) is 1 where all queries take the same row.
    """

    matrices: str
    by_head: str
    rows: str


def _stack(scope: Scope, name: str, lead: str) -> _Stack:
    """The tensor ``name``, whose first axes are broadcast to ``lead``."""
    shape = scope.apply("Shape", name)
    matrix = scope.part(scope.joined(scope.constant(1, 1), shape), -2)
    matrices = scope.apply("Reshape", name, scope.joined(scope.constant(-1), matrix))
    numbers = scope.counted(scope.part(scope.apply("Shape", matrices), 0, 1), scope.constant(1))
    by_head = scope.apply("Expand", scope.apply("Reshape", numbers, scope.part(shape, 0, -2)), lead)
    return _Stack(matrices, scope.apply("Reshape", by_head, scope.constant(-1)), scope.part(matrix, 0, 1))


@dataclass(frozen=True)
class _Blocks:
    """Attention of the nodes ``scores``, ``between`` and ``mixed``, and the ``stacks`` that they read, by name.

    Blocks of ``size`` queries begin at ``starts`` (n, 1), and the last two may overlap: of the rows of all blocks, the
    queries' are ``kept`` (tokens, 1).
    """

    scores: Node
    between: Sequence[Node]
    mixed: Node
    stacks: Mapping[str, _Stack]
    size: str
    starts: str
    kept: str

    def of_heads(self, scope: Scope, heads: str) -> str:
        """Write the attention of ``heads`` (n, 1): (n, tokens, 1, columns)."""
        return scope.for_each(heads, self._of_head, axes=3)

    def _of_head(self, scope: Scope, head: str) -> str:
        numbers = {name: scope.apply("Gather", stack.by_head, head) for name, stack in self.stacks.items()}
        key, value = (self._matrix(scope, name, numbers) for name in (self.scores.inputs[1], self.mixed.inputs[1]))
        blocks = scope.for_each(self.starts, partial(self._of_block, numbers=numbers, key=key, value=value), axes=3)
        columns = scope.part(scope.apply("Shape", blocks), -1)
        return scope.apply(
            "Gather", scope.apply("Reshape", blocks, scope.joined(scope.constant(-1), columns)), self.kept
        )

    def _of_block(self, scope: Scope, start: str, numbers: Mapping[str, str], key: str, value: str) -> str:
        others = _others(self.scores, self.between)
        query, *rows = (self._rows(scope, name, numbers, start) for name in (self.scores.inputs[0], *others))
        names = dict(zip(others, rows, strict=True))
        scope.nodes.append(self.scores._replace(inputs=[query, key]))
        for node in self.between:
            inputs = [names.get(name, name) for name in node.inputs]
            last_axis = make_node(SOFTMAX, inputs, node.outputs, axis=-1)  # its number may be another one here
            scope.nodes.append(last_axis if node.operator == SOFTMAX else node._replace(inputs=inputs))
        result = scope.name()
        scope.nodes.append(self.mixed._replace(inputs=[self.mixed.inputs[0], value], outputs=[result]))
        return result

    def _matrix(self, scope: Scope, name: str, numbers: Mapping[str, str]) -> str:
        end = scope.apply("Add", numbers[name], scope.constant(1))
        return scope.apply("Slice", self.stacks[name].matrices, numbers[name], end, scope.constant(0))

    def _rows(self, scope: Scope, name: str, numbers: Mapping[str, str], start: str) -> str:
        stack = self.stacks[name]
        begin = scope.joined(numbers[name], scope.apply("Mod", start, stack.rows))
        end = scope.apply("Add", begin, scope.joined(scope.constant(1), self.size))
        return scope.apply("Slice", stack.matrices, begin, end, scope.constant(0, 1))


def _others(scores: Node, between: Sequence[Node]) -> list[str]:
    """What the nodes ``between`` read that none of these nodes makes."""
    made = {name for node in (scores, *between) for name in node.outputs}
    return sorted({name for node in between for name in node.inputs} - made)


def _where_added(scope: Scope, blocks: _Blocks, heads: str) -> str:
    """The attention of ``heads``; a mask that masks nothing is not added, which saves a seventh of the time."""
    others = _others(blocks.scores, blocks.between)
    for place, node in enumerate(blocks.between):
        added = [name for name in node.inputs if name in others]
        if node.operator == "Add" and len(added) == 1:
            same = make_node("Identity", [name for name in node.inputs if name not in others], node.outputs)
            rest = [*blocks.between[:place], same, *blocks.between[place + 1 :]]
            nothing = scope.apply("Not", scope.apply("Cast", scope.apply("ReduceL1", *added, keepdims=0), to=_BOOL))
            return scope.choice(
                nothing,
                partial(replace(blocks, between=rest).of_heads, heads=heads),
                partial(blocks.of_heads, heads=heads),
            )
    return blocks.of_heads(scope, heads)
