"""Models of OpenVINO whose layers have a gate, such as SwiGLU and GeGLU."""

from typing import Any

from ..machine.cpu import cpu_features


def ends_the_process(model: Any, dtype: str) -> bool:
    """Whether OpenVINO ends the process, with SIGFPE, where it compiles ``model`` for the CPU, one thread a stream.

    On CPUs with AMX, OpenVINO 2026.4 divides by zero there where it fuses a gated layer (SwiGLU, GeGLU) in bfloat16.
    """
    if dtype != "bfloat16" or "amx_bf16" not in cpu_features():
        return False
    return any(_is_gated(node) for node in model.get_ops() if node.get_type_name() == "MatMul")


def _is_gated(product: Any) -> bool:
    """Whether a MatMul is of weights and a product of two values that are both computed."""
    given, weights = (value.get_node() for value in product.input_values())
    gate = given.get_type_name() == "Multiply" and not any(
        _is_constant(each.get_node()) for each in given.input_values()
    )
    return gate and _is_constant(weights)


def _is_constant(node: Any) -> bool:
    """Whether a node is a constant, also one that is stored in another type."""
    kind = node.get_type_name()
    return kind == "Constant" or (kind == "Convert" and _is_constant(node.input_value(0).get_node()))
