"""What an ONNX graph computes in, by its operators: the name of its file may say something else."""

from dataclasses import replace
from pathlib import Path

from ..errors import EXPORT, OptionError
from ..files.onnx_graphs import operators
from .record import Record
from .variants import Choice

#: operators that quantize all texts of a batch by one scale
_DYNAMIC = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")
#: by dtype, from the least exact: operators that multiply in it, or with weights in it
_QUANTIZED = {
    "int4": ("MatMulNBits", "MatMulBnb4"),
    "int8": (
        *_DYNAMIC, "MatMulInteger", "MatMulIntegerToFloat", "QLinearMatMul", "QGemm", "QAttention", "QuantizeLinear",
    ),
}  # fmt: skip


def depends_on_batch(graph: Path, choice: Choice) -> bool:
    """Whether ``graph`` gives a text another vector beside other texts; raises what `operators` raises."""
    return graph.suffix == ".onnx" and choice.dtype in _QUANTIZED and bool(operators(graph, _DYNAMIC))


def as_computed(choices: tuple[Choice, ...], folder: Path, record: Record | None, dtype: str) -> tuple[Choice, ...]:
    """``choices`` in the dtypes that their graphs in ``folder`` have, where the record does not say.

    The graph of the first choice is looked at; where it is below its name, the other choices come before it. Raises
    OptionError where ``dtype`` was asked for and no graph computes in it, and what `operators` raises.
    """
    recorded = {entry.file for entry in record.graphs} if record else set()
    below: list[Choice] = []
    found = None
    for place, choice in enumerate(choices):
        found = None if choice.file in recorded else _below(folder / choice.file, choice.dtype)
        if found is None:
            return (*choices[place:], *below)
        if dtype in ("auto", found):
            reason = f"{choice.reason}, but its operators compute in {found}, which gives other vectors"
            below.append(replace(choice, dtype=found, reason=reason, warns=True))
    if not below:
        raise OptionError(
            f"{folder / choices[0].file} computes in {found}, but dtype is {dtype!r}; leave dtype out, or make a "
            f"{dtype} graph {EXPORT}"
        )
    return tuple(below)


def _below(graph: Path, dtype: str) -> str | None:
    """The dtype of ``graph`` where it is less exact than ``dtype``."""
    if graph.suffix != ".onnx" or dtype in _QUANTIZED or not graph.is_file():
        return None
    return next((found for found, names in _QUANTIZED.items() if operators(graph, names)), None)
