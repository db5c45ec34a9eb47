"""Pooling and normalization as the last nodes of a graph, so that a GPU sends back vectors and no token embeddings.

The graph gets an input (batch, tokens) float32 for each way of pooling: the share that each token has in the vector.
For cls and lasttoken it is 1 for the token that is taken, for max it is 1 for every token that takes part.
"""

from collections.abc import Iterator, Sequence

from ..files.onnx_graphs import BYTES, Data, bytes_field, fields, integer_field, opset_of
from ..files.onnx_nodes import Node, encoded, make_node
from .backend import Pooled
from .graph_scope import Scope
from .signature import POOLED, SHARES, Port, find_tokens

_GRAPH, _NODE, _INPUT, _OUTPUT = 7, 1, 11, 12
_NAME, _KIND, _TENSOR, _ELEMENT, _SHAPE, _DIM = 1, 2, 1, 1, 2, 1  # of an input or output
_FLOAT, _BOOL = 1, 9
_AXES_AS_INPUT = 18  # the opset from which ReduceMax has them so
_LEAST_LENGTH = 1e-12


def with_pooling(data: Data, pooled: Pooled) -> bytes | None:
    """The ONNX file ``data`` with one more output, `POOLED`; None where it has no token embeddings. Raises ValueError.

    Without rewriting what is there: what is new is appended, as protocol buffers allow.
    """
    tokens = find_tokens(list(_outputs(data)))
    if tokens is None:
        return None
    added = _appended(tokens, pooled, opset_of(data))
    parts, start = [], 0
    for number, _, begin, stop in fields(data, 0, len(data)):
        parts.append(bytes_field(_GRAPH, data[begin:stop] + added) if number == _GRAPH else data[start:stop])
        start = stop
    return b"".join(parts)


def _appended(tokens: str, pooled: Pooled, opset: int) -> bytes:
    """The nodes, inputs and the output to append to the graph."""
    scope = Scope(prefix="pooled/")
    floats = scope.apply("Cast", tokens, to=_FLOAT)
    vectors = [_pooled(scope, mode, floats, opset) for mode in pooled.modes]
    vector = vectors[0] if len(vectors) == 1 else scope.apply("Concat", *vectors, axis=1)
    if pooled.normalize:
        vector = _normalized(scope, vector)
    scope.nodes.append(make_node("Identity", [vector], [POOLED]))
    nodes: list[Node] = [*scope.constants.values(), *scope.nodes]
    return b"".join(
        [
            *(bytes_field(_NODE, encoded(node)) for node in nodes),
            *(bytes_field(_INPUT, _matrix(f"{SHARES}{mode}")) for mode in dict.fromkeys(pooled.modes)),
            bytes_field(_OUTPUT, _matrix(POOLED)),
        ]
    )


def _pooled(scope: Scope, mode: str, tokens: str, opset: int) -> str:
    """The vectors (batch, hidden) of ``tokens`` (batch, tokens, hidden)."""
    share = f"{SHARES}{mode}"
    if mode == "max":
        taking = scope.apply("Cast", scope.apply("Reshape", share, scope.constant(0, -1, 1)), to=_BOOL)
        only = scope.apply("Where", taking, tokens, scope.number(float("-inf")))
        found, some = _largest(scope, only, opset), _largest(scope, share, opset)
        none = scope.apply("Cast", scope.apply("Reshape", some, scope.constant(-1, 1)), to=_BOOL)
        return scope.apply("Where", none, found, scope.number(0.0))
    if mode in ("cls", "lasttoken"):  # a value that is not a number counts only in the token that is taken
        taken = scope.apply("Cast", scope.apply("Reshape", share, scope.constant(0, -1, 1)), to=_BOOL)
        tokens = scope.apply("Where", taken, tokens, scope.number(0.0))
    row = scope.apply("Reshape", share, scope.constant(0, 1, -1))
    return scope.apply("Reshape", scope.apply("MatMul", row, tokens), scope.constant(0, -1))


def _largest(scope: Scope, name: str, opset: int) -> str:
    """The largest value over the tokens, axis 1."""
    if opset < _AXES_AS_INPUT:
        return scope.apply("ReduceMax", name, axes=[1], keepdims=0)
    return scope.apply("ReduceMax", name, scope.constant(1), keepdims=0)


def _normalized(scope: Scope, vector: str) -> str:
    """Each vector divided by its Euclidean length, or by 1e-12 if that is greater."""
    row = scope.apply("Reshape", vector, scope.constant(0, 1, -1))
    column = scope.apply("Reshape", vector, scope.constant(0, -1, 1))
    square = scope.apply("Reshape", scope.apply("MatMul", row, column), scope.constant(-1, 1))
    length = scope.apply("Max", scope.apply("Sqrt", square), scope.number(_LEAST_LENGTH))
    return scope.apply("Div", vector, length)


def _matrix(name: str) -> bytes:
    """An input or output (any, any) float32."""
    shape = bytes_field(_DIM, b"") + bytes_field(_DIM, b"")
    tensor = integer_field(_ELEMENT, _FLOAT) + bytes_field(_SHAPE, shape)
    return bytes_field(_NAME, name.encode()) + bytes_field(_KIND, bytes_field(_TENSOR, tensor))


def _outputs(data: Data) -> Iterator[Port]:
    """The outputs of the graph, with their number of axes."""
    for number, _, begin, stop in fields(data, 0, len(data)):
        for inner, _, start, end in fields(data, begin, stop) if number == _GRAPH else ():
            if inner == _OUTPUT:
                shape = _inside(data, (start, end), (_KIND, _TENSOR, _SHAPE))
                rank = None if shape is None else sum(kind == _DIM for kind, *_ in fields(data, *shape))
                name = _inside(data, (start, end), (_NAME,))
                yield Port("" if name is None else bytes(data[slice(*name)]).decode(), None, rank)


def _inside(data: Data, place: tuple[int, int], path: Sequence[int]) -> tuple[int, int] | None:
    """Where the message at the end of ``path`` is, field by field; None where one of them is missing."""
    for wanted in path:
        found = [
            (begin, stop) for number, kind, begin, stop in fields(data, *place) if (number, kind) == (wanted, BYTES)
        ]
        if not found:
            return None
        place = found[-1]
    return place
