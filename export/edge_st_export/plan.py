"""What an export is to make."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from edge_st_runtime.errors import OptionError

from .errors import converting
from .graph.optimize import LEVELS
from .int8.options import Int8

ENGINES = ("onnx", "openvino")
_LIBRARIES = {
    "onnx": ("optimum.exporters.onnx", "optimum.onnxruntime"),
    "openvino": ("optimum.exporters.openvino",),
}


@dataclass(frozen=True)
class Plan:
    """The engines and the variants beside float32 ones, each with what it must reach."""

    engines: tuple[str, ...]
    optimize: str | None
    fp16: bool
    gate: float
    int8: Int8 | None

    @property
    def conversions(self) -> int:
        """How many there will be."""
        return len(self.engines) + (self.optimize is not None) + self.fp16 + (self.int8 is not None)

    def import_libraries(self) -> None:
        """All at once: a missing one is found before any work, and a Ctrl-C while native code loads leaves nothing."""
        for engine in self.engines:
            with converting(f"importing what exports to {engine}", "pip install -c constraints.txt edge-st-export"):
                for name in _LIBRARIES[engine]:
                    import_module(name)


def checked_plan(engines: Sequence[str], optimize: str | None, fp16: bool, gate: float, int8: Int8 | None) -> Plan:
    """The plan of these options of `export_model`; raises OptionError."""
    unknown = [engine for engine in engines if engine not in ENGINES]
    if isinstance(engines, str) or unknown or not engines:
        raise OptionError(f"engines is {engines!r}; expected a list of one or both of {', '.join(ENGINES)}")
    if optimize is not None and optimize not in LEVELS:
        raise OptionError(f"optimize is {optimize!r}; expected None or one of {', '.join(LEVELS)}; O4 is fp16=True")
    if fp16 and "onnx" not in engines:
        raise OptionError("fp16 makes an ONNX graph; add 'onnx' to the engines")
    if int8 is not None and "onnx" not in engines:
        raise OptionError("int8 graphs are made from the ONNX graph; add 'onnx' to the engines")
    return Plan(tuple(dict.fromkeys(engines)), optimize if "onnx" in engines else None, fp16, gate, int8)
