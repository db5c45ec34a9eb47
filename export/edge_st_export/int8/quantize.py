"""Write int8 graphs for an exported folder: calibrate, fit, search, write, measure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edge_st_runtime.errors import DamagedFileError, EngineError

from ..errors import ExportError
from ..folder.parity import GraphReport
from ..original.reference import Reference
from .gate import Gate
from .options import Int8
from .search import Allowance, Attempt, best, search
from .trials import Trials

#: the CPU time after which a search makes no further attempt
MINUTES = 15


@dataclass(frozen=True)
class Quantized:
    """The int8 graphs that pass the gate, all attempts, notes on what is left out, and the record's entries.

    ``missed`` says why there is no int8 graph, if there is none; ``accepting`` is a gate that the best attempt passes.
    """

    graphs: tuple[GraphReport, ...] = ()
    tried: tuple[Attempt, ...] = ()
    notes: tuple[str, ...] = ()
    entries: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    missed: str | None = None
    accepting: Gate | None = None


def quantize_folder(
    folder: Path, engines: Sequence[str], options: Int8, reference: Reference, say: Callable[[str], None]
) -> Quantized:
    """Write the int8 graphs for ``engines`` beside the float32 ONNX graphs of ``folder``.

    ``reference`` is what the original gives. For each engine a variant that passes the gate is searched for, whatever
    the others reach; an engine that has none is left out with a note. ``say`` is told how far the search is. Raises
    InputError for calibration texts that the model does not take.
    """
    try:
        trials = Trials(folder, options, reference, say)
    except ExportError as error:
        return Quantized(missed=str(error))
    graphs, tried, notes = list[GraphReport](), list[Attempt](), list[str]()
    allowance = Allowance(MINUTES)
    for engine in engines:
        try:
            found = search(
                sorted(trials.keys), options.gate, partial(trials.attempt, engine), trials.sensitivity, allowance
            )
        except (ExportError, DamagedFileError, EngineError) as error:
            trials.remove(engine)
            notes.append(f"int8 for {engine} is left out: {error}")
            continue
        tried += found
        if found[-1].shortfall(options.gate):
            trials.remove(engine)
        else:
            graphs.append(found[-1].report)
    if len(graphs) == len(engines):
        trials.kept.forget()
    entries = options.entry(tried, default=options.default and bool(graphs))
    if graphs:
        missing = {each.report.engine for each in tried} - {graph.engine for graph in graphs}
        notes += [f"int8 for {engine} is left out: no variant reaches the gate" for engine in sorted(missing)]
        return Quantized(tuple(graphs), tuple(tried), tuple(notes), entries)
    accepting = None
    if tried:
        nearest = best(tried, options.gate)
        accepting = options.gate.lowered(nearest.quality, nearest.shares)
    missed = f"no int8 variant reaches the gate {options.gate}" if tried else "no int8 variant could be made"
    return Quantized((), tuple(tried), tuple(notes), entries, missed, accepting)
