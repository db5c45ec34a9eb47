"""One export as a plan: what to export, where to, and the graphs to write. It is checked once, before any work."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from edge_st_runtime.errors import INSTALL_EXPORT, OptionError, PackageMissingError

from .errors import converting
from .folder.atomic import check_target
from .graph.fusing import LEVELS
from .int8.options import Int8
from .original.loading import Source
from .stack import version_of

ENGINES = ("onnx", "openvino")
_LIBRARIES = {
    "onnx": ("onnxscript", "onnxruntime"),
    "openvino": ("optimum.exporters.openvino",),
}
#: the steps that are not conversions: load, encode the reference, compare, write the record
_OTHER_STEPS = 4


@dataclass(frozen=True)
class Plan:
    """The arguments of one `export_model` call. Made by `checked_plan`."""

    model: str | os.PathLike[str]
    target: Path
    engines: tuple[str, ...]
    optimize: str | None
    halves: tuple[str, ...]
    revision: str | None
    token: str | bool | None
    trust_remote_code: bool
    task: str | None
    gate: float
    int8: Int8 | None
    force: bool
    quiet: bool

    def check_source(self, source: Source) -> None:
        """Raise OptionError or InputError where the int8 options do not fit the model that was found."""
        if self.int8 is None:
            return
        if not source.needs_graph:
            raise OptionError(f"{source.name} has no graph that int8 would make faster; leave int8 out")
        self.int8.check(source.model_type)

    def steps(self, source: Source) -> int:
        """The number of progress lines that the export of ``source`` prints."""
        conversions = len(self.engines) + (self.optimize is not None) + len(self.halves) + (self.int8 is not None)
        return _OTHER_STEPS + (conversions if source.needs_graph else 0)

    def import_libraries(self) -> None:
        """Import all conversion libraries at once.

        So a missing one is reported before any work, and Ctrl-C while native code loads leaves no files behind. Raises
        PackageMissingError without what exports to OpenVINO, ExportError where a library cannot be imported.
        """
        if "openvino" in self.engines and version_of("optimum-intel") is None:
            raise PackageMissingError(
                f"exporting to OpenVINO needs optimum-intel, which is not installed; {INSTALL_EXPORT}, or leave "
                "OpenVINO out: --engine onnx (engines=['onnx'])"
            )
        for engine in self.engines:
            with converting(f"importing what exports to {engine}", INSTALL_EXPORT):
                for name in _LIBRARIES[engine]:
                    import_module(name)


def checked_plan(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    engines: Sequence[str],
    optimize: str | None,
    fp16: bool,
    bf16: bool,
    revision: str | None,
    token: str | bool | None,
    trust_remote_code: bool,
    task: str | None,
    gate: float,
    int8: Int8 | None,
    force: bool,
    quiet: bool,
) -> Plan:
    """The plan for these arguments of `export_model`; raises OptionError, and NotAFolderError where ``out`` is a file.

    The task is checked by `find_source`.
    """
    unknown = [engine for engine in engines if engine not in ENGINES]
    if isinstance(engines, str) or unknown or not engines:
        raise OptionError(f"engines is {engines!r}; expected a list of one or both of {', '.join(ENGINES)}")
    if optimize is not None and optimize not in LEVELS:
        raise OptionError(f"optimize is {optimize!r}; expected None or one of {', '.join(LEVELS)}; O4 is fp16=True")
    halves = tuple(dtype for dtype, wanted in {"float16": fp16, "bfloat16": bf16}.items() if wanted)
    if halves and "onnx" not in engines:
        raise OptionError(f"{halves[0]} graphs for GPUs are made from the ONNX graph; add 'onnx' to the engines")
    if int8 is not None and "onnx" not in engines:
        raise OptionError("int8 graphs are made from the ONNX graph; add 'onnx' to the engines")
    check_target(Path(out), force=force)
    return Plan(
        model=model,
        target=Path(out),
        engines=tuple(dict.fromkeys(engines)),
        optimize=optimize if "onnx" in engines else None,
        halves=halves,
        revision=revision,
        token=token,
        trust_remote_code=trust_remote_code,
        task=task,
        gate=gate,
        int8=int8,
        force=force,
        quiet=quiet,
    )
