"""Products with rows that are stored for another purpose, such as to be looked up: a Gemm reads them as they are.

All nodes are marked by their names, so that `graph.sharing` can undo them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from onnx import helper

MARK = ".shared"  # ends the names of the nodes
PRODUCT = "_rows"  # ends the name of a Gemm's output


def rows_of(matrix: str, start: int, end: int, output: str, vector: Callable[..., str]) -> Any:
    """The node that takes the rows from ``start`` to ``end`` of ``matrix``; ``vector`` names a constant of integers."""
    return marked("Slice", [matrix, vector(start), vector(end), vector(0)], output)


def product(x: str, rows: str, sizes: Sequence[int], name: str, output: str, vector: Callable[..., str]) -> list[Any]:
    """The nodes that give ``output`` (…, count), the products of ``x`` (…, width) with ``rows`` (count, width).

    ``sizes`` are width and count, ``name`` is that of the transposed rows when they are stored for this alone.
    """
    flat, found, shape = f"{output}_flat", f"{output}{PRODUCT}", f"{output}_shape"
    return [
        marked("Reshape", [x, vector(-1, sizes[0])], flat),
        helper.make_node("Gemm", [flat, rows], [found], name=f"{name}{MARK}", transB=1),
        marked("Shape", [x], shape),
        marked("Slice", [shape, vector(0), vector(-1)], f"{shape}_of_texts"),
        marked("Concat", [f"{shape}_of_texts", vector(sizes[1])], f"{shape}_of_all", axis=0),
        marked("Reshape", [found, f"{shape}_of_all"], output),
    ]


def marked(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    """A node whose name says that it is one of these."""
    return helper.make_node(kind, inputs, [output], name=f"{output}{MARK}", **attributes)
