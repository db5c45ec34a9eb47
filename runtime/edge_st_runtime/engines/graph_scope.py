"""Write the nodes of an ONNX graph, and of graphs within it, operator by operator."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from ..files.onnx_nodes import Attribute, Node, make_constant, make_floats, make_graph, make_node

_END = 2**62  # of an axis


@dataclass(frozen=True)
class Scope:
    """The ``nodes`` of one graph. ``constants`` belong to the outermost one; ``numbers`` make names unique in all.

    ``prefix`` is what the names of what is written begin with.
    """

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Node] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)
    prefix: str = "blocks/"

    def within(self) -> "Scope":
        """The scope of a graph that is to be an attribute in this one, and may read its values."""
        return Scope([], self.constants, self.numbers, self.prefix)

    def name(self) -> str:
        """A new name."""
        return f"{self.prefix}{next(self.numbers)}"

    def apply(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Write a standard operator with one output; returns its name."""
        name = self.name()
        self.nodes.append(make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, *values: int) -> str:
        """An int64 vector."""
        name = f"{self.prefix}{values}"
        self.constants.setdefault(name, make_constant(name, values))
        return name

    def number(self, value: float) -> str:
        """A float32 vector of one value."""
        name = f"{self.prefix}{value}"
        self.constants.setdefault(name, make_floats(name, [value]))
        return name

    def part(self, vector: str, start: int, end: int = _END) -> str:
        """``vector[start:end]``."""
        return self.apply("Slice", vector, self.constant(start), self.constant(end))

    def joined(self, *vectors: str) -> str:
        """These vectors one after the other."""
        return self.apply("Concat", *vectors, axis=0)

    def lesser(self, a: str, b: str) -> str:
        """The minimum, element by element."""
        return self.apply("Where", self.apply("Less", a, b), a, b)

    def counted(self, end: str, step: str) -> str:
        """The integers (n, 1) from 0 to before ``end`` (1,)."""
        numbers = [self.apply("Reshape", each, self.constant()) for each in (self.constant(0), end, step)]
        return self.apply("Reshape", self.apply("Range", *numbers), self.constant(-1, 1))

    def for_each(self, items: str, write: "Callable[[Scope, str], str]", axes: int) -> str:
        """The results of a graph for every row of ``items``, stacked; ``write`` gets its scope and the row's name.

        Each result is float32 with ``axes``.
        """
        scope, item = self.within(), self.name()
        result = write(scope, item)
        body = make_graph("body", scope.nodes, [item], result, axes)
        return self.apply("Scan", items, body=body, num_scan_inputs=1)

    def choice(self, condition: str, then: "Callable[[Scope], str]", otherwise: "Callable[[Scope], str]") -> str:
        """The result of the graph that ``then`` writes where ``condition`` is true, else of that of ``otherwise``."""
        branches = {}
        for name, write in {"then_branch": then, "else_branch": otherwise}.items():
            scope = self.within()
            result = write(scope)
            branches[name] = make_graph(name, scope.nodes, [], result)
        return self.apply("If", condition, **branches)
