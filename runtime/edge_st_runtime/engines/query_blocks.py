"""Attention in blocks of queries, so that a long text's whole attention is never in memory.

For a few queries of one head attention is the same computation, row by row, so masks, relative positions and windows
stay what they are. The nodes of an attention go into the body of a Scan over blocks of queries, within a Scan over
heads. They get the block's rows of Q and of all that is added or compared, and K and V of the head.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import NamedTuple

from ..files.onnx_graphs import Data, bytes_field, fields
from ..files.onnx_nodes import Attribute, Node, encoded, make_constant, make_graph, make_node, read_node
from .attention import SOFTMAX, attentions

#: queries: with fewer, K and V are packed too often; with more, scores do not stay in cache
BLOCK = 128
_GRAPH, _NODE, _OUTPUT, _SHAPES, _NAME = 7, 1, 12, 13, 1
_BOOL = 9
_END = 2**62  # of an axis


def in_blocks(data: Data) -> bytes | None:
    """The ONNX file ``data`` with its attention in blocks; None where it has none. Raises ValueError."""
    parts, found = [], False
    for number, message, whole in _messages(data, 0, len(data)):
        graph = _graph(message) if number == _GRAPH else None
        parts.append(whole if graph is None else bytes_field(_GRAPH, graph))
        found = found or graph is not None
    return b"".join(parts) if found else None


def _messages(data: Data, start: int, end: int) -> Iterator[tuple[int, bytes, bytes]]:
    """The fields at this place: the number of each, its value where that is bytes, and the whole field."""
    for number, _, begin, stop in fields(data, start, end):
        yield number, data[begin:stop], data[start:stop]
        start = stop


def _graph(data: bytes) -> bytes | None:
    """The graph with its attention in blocks; None where it has none."""
    messages = list(_messages(data, 0, len(data)))
    written = [whole for number, _, whole in messages if number == _NODE]
    nodes = [read_node(message, 0, len(message)) for number, message, _ in messages if number == _NODE]
    outputs = {_name(message) for number, message, _ in messages if number == _OUTPUT}
    found = list(attentions(nodes, outputs))
    scope = _Scope()
    for attention in found:
        for place in (attention.scores, *attention.between):
            written[place] = b""
        scores, *between, mixed = (nodes[place] for place in (attention.scores, *attention.between, attention.mixed))
        written[attention.mixed] = _encoded(_in_blocks(scope.within(), scores, between, mixed))
    others = [whole for number, _, whole in messages if number not in (_NODE, _SHAPES)]
    return b"".join([*others, _encoded(scope.constants.values()), *written]) if found else None


def _name(port: bytes) -> str:
    return next(value for number, value, _ in _messages(port, 0, len(port)) if number == _NAME).decode()


def _encoded(nodes: Iterable[Node]) -> bytes:
    return b"".join(bytes_field(_NODE, encoded(node)) for node in nodes)


@dataclass
class _Scope:
    """The nodes of a graph that is being written; ``constants`` and ``count``, which makes names, are the model's."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Node] = field(default_factory=dict)
    count: Iterator[int] = field(default_factory=count)

    def within(self) -> "_Scope":
        """A scope for a graph within this one."""
        return _Scope([], self.constants, self.count)

    def name(self) -> str:
        return f"blocks/{next(self.count)}"

    def add(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Add a node with one output; returns its name."""
        name = self.name()
        self.nodes.append(make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, *values: int) -> str:
        name = f"blocks/{values}"
        self.constants.setdefault(name, make_constant(name, values))
        return name

    def part(self, vector: str, start: int, end: int = _END) -> str:
        return self.add("Slice", vector, self.constant(start), self.constant(end))

    def joined(self, *vectors: str) -> str:
        return self.add("Concat", *vectors, axis=0)

    def less(self, a: str, b: str) -> str:
        """The lesser of both."""
        return self.add("Where", self.add("Less", a, b), a, b)

    def counted(self, end: str, step: str) -> str:
        """The integers (n, 1) from 0 to ``end`` (1,)."""
        numbers = [self.add("Reshape", each, self.constant()) for each in (self.constant(0), end, step)]
        return self.add("Reshape", self.add("Range", *numbers), self.constant(-1, 1))

    def choice(self, condition: str, then: "Callable[[_Scope], str]", otherwise: "Callable[[_Scope], str]") -> str:
        """What the graph that ``then`` writes gives where ``condition`` is true, else that of ``otherwise``."""
        graphs = []
        for write in (then, otherwise):
            scope = self.within()
            result = write(scope)
            graphs.append(make_graph("choice", scope.nodes, [], [result]))
        return self.add("If", condition, then_branch=graphs[0], else_branch=graphs[1])

    def scan(self, over: str, item: str, body: "_Scope", result: str) -> str:
        """The results of ``body``, stacked, for every ``item`` (1,) of ``over`` (n, 1)."""
        graph = make_graph("blocks", body.nodes, [item], [result])
        return self.add("Scan", over, body=graph, num_scan_inputs=1)


class _Stack(NamedTuple):
    """A tensor as ``matrices`` (n, rows, columns), of which a head takes number ``by_head`` (heads,).

    ``rows`` (1,) is 1 where all queries take the same row.
    """

    matrices: str
    by_head: str
    rows: str


@dataclass(frozen=True)
class _Blocks:
    """Attention of the nodes ``scores``, ``between`` and ``mixed``, and the ``stacks`` that they read, by name.

    Blocks of ``size`` queries begin at ``starts`` (n, 1); the last two may overlap, and the rows ``kept`` (tokens, 1) of
    all blocks are those of the queries.
    """

    scores: Node
    between: Sequence[Node]
    mixed: Node
    stacks: Mapping[str, _Stack]
    size: str
    starts: str
    kept: str

    def of_heads(self, scope: _Scope, heads: str) -> str:
        """Write the attention of ``heads`` (n, 1), (n, tokens, 1, columns); returns its name."""
        inner, head = scope.within(), scope.name()
        return scope.scan(heads, head, inner, self._of_head(inner, head))

    def _of_head(self, scope: _Scope, head: str) -> str:
        numbers = {name: scope.add("Gather", stack.by_head, head) for name, stack in self.stacks.items()}
        key, value = (self._whole(scope, name, numbers) for name in (self.scores.inputs[1], self.mixed.inputs[1]))
        inner, start = scope.within(), scope.name()
        blocks = scope.scan(self.starts, start, inner, self._of_block(inner, start, numbers, key, value))
        columns = scope.part(scope.add("Shape", blocks), -1)
        return scope.add("Gather", scope.add("Reshape", blocks, scope.joined(scope.constant(-1), columns)), self.kept)

    def _of_block(self, scope: _Scope, start: str, numbers: Mapping[str, str], key: str, value: str) -> str:
        query = self._rows(scope, self.scores.inputs[0], numbers, start)
        others = {name: self._rows(scope, name, numbers, start) for name in _others(self.scores, self.between)}
        scope.nodes.append(self.scores._replace(inputs=[query, key]))
        for node in self.between:
            own = node._replace(inputs=[others.get(name, name) for name in node.inputs])
            scope.nodes.append(make_node(SOFTMAX, own.inputs, own.outputs, axis=-1) if own.operator == SOFTMAX else own)
        scope.nodes.append(self.mixed._replace(inputs=[self.mixed.inputs[0], value], outputs=[scope.name()]))
        return scope.nodes[-1].outputs[0]

    def _whole(self, scope: _Scope, name: str, numbers: Mapping[str, str]) -> str:
        end = scope.add("Add", numbers[name], scope.constant(1))
        return scope.add("Slice", self.stacks[name].matrices, numbers[name], end, scope.constant(0))

    def _rows(self, scope: _Scope, name: str, numbers: Mapping[str, str], start: str) -> str:
        stack = self.stacks[name]
        begin = scope.joined(numbers[name], scope.add("Mod", start, stack.rows))
        end = scope.add("Add", begin, scope.joined(scope.constant(1), self.size))
        return scope.add("Slice", stack.matrices, begin, end, scope.constant(0, 1))


def _in_blocks(scope: _Scope, scores: Node, between: Sequence[Node], mixed: Node) -> list[Node]:
    """Nodes that give the output of ``mixed`` from the inputs of these nodes."""
    shape, one = scope.add("Shape", scores.inputs[0]), scope.constant(1)
    lead, tokens = scope.part(shape, 0, -2), scope.part(shape, -2, -1)
    size = scope.less(tokens, scope.constant(BLOCK))
    last = scope.add("Sub", tokens, size)
    places, surplus = scope.counted(tokens, one), scope.add("Mod", scope.add("Neg", tokens), size)
    blocks = _Blocks(
        scores,
        between,
        mixed,
        {name: _stack(scope, name, lead) for name in (*scores.inputs, mixed.inputs[1], *_others(scores, between))},
        size,
        starts=scope.less(scope.counted(tokens, size), last),
        kept=scope.add("Where", scope.add("Less", places, last), places, scope.add("Add", places, surplus)),
    )
    heads = scope.counted(scope.add("ReduceProd", lead, keepdims=0), one)
    left, added = _without_sum(scores, between)
    if added is None:
        stacked = blocks.of_heads(scope, heads)
    else:
        nothing = scope.add("Not", scope.add("Cast", scope.add("ReduceL1", added, keepdims=0), to=_BOOL))
        branches = [replace(blocks, between=left).of_heads, blocks.of_heads]
        stacked = scope.choice(nothing, *(partial(branch, heads=heads) for branch in branches))
    columns = scope.part(scope.add("Shape", stacked), -1)
    scope.nodes.append(make_node("Reshape", [stacked, scope.joined(lead, tokens, columns)], mixed.outputs))
    return scope.nodes


def _stack(scope: _Scope, name: str, lead: str) -> _Stack:
    """The tensor ``name``, whose first axes are broadcast to ``lead``."""
    shape = scope.add("Shape", name)
    matrix = scope.part(scope.joined(scope.constant(1, 1), shape), -2)
    matrices = scope.add("Reshape", name, scope.joined(scope.constant(-1), matrix))
    numbers = scope.counted(scope.part(scope.add("Shape", matrices), 0, 1), scope.constant(1))
    by_head = scope.add("Expand", scope.add("Reshape", numbers, scope.part(shape, 0, -2)), lead)
    return _Stack(matrices, scope.add("Reshape", by_head, scope.constant(-1)), scope.part(matrix, 0, 1))


def _others(scores: Node, between: Sequence[Node]) -> list[str]:
    """What the nodes ``between`` read that none of these nodes makes."""
    made = {name for node in (scores, *between) for name in node.outputs}
    return sorted({name for node in between for name in node.inputs} - made)


def _without_sum(scores: Node, between: Sequence[Node]) -> tuple[list[Node], str | None]:
    """The nodes ``between`` without the first Add, and what this adds; None where there is none."""
    others = _others(scores, between)
    for place, node in enumerate(between):
        added = [name for name in node.inputs if name in others]
        if node.operator == "Add" and len(added) == 1:
            (left,) = set(node.inputs) - set(added)
            after = [each._replace(inputs=[left if name in node.outputs else name for name in each.inputs]) for each in between[place + 1 :]]
            return [*between[:place], *after], added[0]
    return list(between), None
