"""The variants of a model folder (graph file, engine and dtype) that suit the caller and this machine, best first.

Nothing is read or opened here: file names and a record go in, choices come out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..engines.backend import DTYPES, require_engine
from ..errors import EngineMissingError, MissingFileError, OptionError
from ..machine.cpu import BFLOAT16, gains_from_int8, int8_features
from .graph_names import EXACTNESS, NamedGraph, dtype_by_name, named_graphs
from .no_graph import no_graph
from .record import GraphRecord, Record

ENDINGS = {"onnx": ".onnx", "openvino": ".xml"}
#: among the CPU features of a graph: what ONNX Runtime has no kernels for on any CPU
GPU = "gpu"
_FASTEST = "fastest lossless variant for this CPU"
_OTHERS = "; choose one by model_kwargs={'file_name': …}"
_DEFAULT = "the folder's default dtype is {!r}"
_NO_GAIN = "OpenVINO is not faster in int8 than in float32 on a CPU without AVX512, VNNI, AMX or Arm dot products"


class NoGraphError(MissingFileError):
    """The model has weights at most, and no graph that an engine could open."""


@dataclass(frozen=True)
class Criteria:
    """What the caller asked for, and what this machine has.

    ``engines`` are the installed ones, best first. ``features`` are those of the CPU, empty where the system does not
    tell. ``bfloat16`` says whether the CPU computes in bfloat16.
    """

    backend: str = "auto"
    dtype: str = "auto"
    file_name: str | None = None
    on_cpu: bool = True
    engines: Sequence[str] = ("onnx", "openvino")
    features: frozenset[str] = frozenset()
    bfloat16: bool = False

    def gains_from_int8(self, engine: str) -> bool:
        """Whether ``engine`` is faster in int8 than in float32 here."""
        return not self.on_cpu or gains_from_int8(engine, self.features)

    @property
    def may_fall_back(self) -> bool:
        """Whether the runtime chooses the variant, so that it may try the next one when the first does not work."""
        return self.file_name is None and self.on_cpu and self.dtype in ("auto", "int8")


@dataclass(frozen=True)
class Choice:
    """The graph ``file`` (relative to the folder) to open with ``engine``, computing in ``dtype``, and why.

    ``warns`` is set where the caller will not expect the ``reason``. ``num_threads`` and ``token_budget`` are the
    values that this machine was tuned to, None where it was not tuned.
    """

    engine: str
    file: str
    dtype: str
    reason: str = field(default="", compare=False)
    warns: bool = field(default=False, compare=False)
    num_threads: int | None = field(default=None, compare=False)
    token_budget: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.file} ({self.engine}, {self.dtype})"


def choose_graph(names: Iterable[str], record: Record | None, criteria: Criteria) -> Choice:
    """The first of `choose_graphs`."""
    return choose_graphs(names, record, criteria)[0]


def choose_graphs(names: Iterable[str], record: Record | None, criteria: Criteria) -> tuple[Choice, ...]:
    """The graphs to run among the folder's file ``names``: the best first, then those to fall back on.

    With a record, its graphs are taken in their order. ``dtype="auto"`` means the folder's default dtype where the
    record names one, else only graphs that were measured to be lossless. Where int8 is that default, but not faster on
    this CPU, the fastest lossless variant comes first, if there is one. Without a record, file names decide, and
    ``auto`` means float32, or else the most exact graph.

    Raises OptionError for criteria that this machine or format cannot meet, EngineMissingError where no engine is
    installed, MissingFileError where the folder has no such graph.
    """
    _check(criteria)
    graphs = sorted(name for name in names if name.endswith(tuple(ENDINGS.values())))
    engines = criteria.engines if criteria.backend == "auto" else [criteria.backend]
    if not engines:
        raise EngineMissingError("no engine is installed; pip install 'edge-st[onnx]' or 'edge-st[openvino]'")
    if criteria.file_name is not None:
        return (_named(graphs, criteria.file_name, record, criteria),)
    entries = [entry for entry in record.graphs if entry.engine in engines and entry.file in graphs] if record else []
    choices = _ordered(_Available(graphs, engines, entries, criteria, record is not None), record)
    if not choices:
        message = no_graph(graphs, criteria.engines, criteria.backend, criteria.dtype)
        raise (MissingFileError if graphs else NoGraphError)(message)
    return choices


@dataclass(frozen=True)
class _Available:
    """The folder's ``graphs`` that one of ``engines`` opens, and the record's ``entries`` for them.

    ``recorded_folder`` says whether there is a record.
    """

    graphs: Sequence[str]
    engines: Sequence[str]
    entries: Sequence[GraphRecord]
    criteria: Criteria
    recorded_folder: bool

    def lossless(self, reason: str, *, warns: bool = False) -> list[Choice]:
        """Graphs that were measured to be lossless, then those that are float32 by their name."""
        fast = [each for each in self._fitting() if each.dtype != "int8" or self.criteria.gains_from_int8(each.engine)]
        recorded = [_choice(each, reason, self.criteria, warns) for each in fast if each.lossless]
        return [*recorded, *self.by_name("auto", reason, warns)]

    def of(self, dtype: str, reason: str, *, warns: bool = False) -> list[Choice]:
        """Recorded graphs in ``dtype`` for this CPU, then unrecorded ones by their name."""
        return [*self.recorded(dtype, reason, warns=warns), *self.by_name(dtype, reason, warns)]

    def recorded(self, dtype: str, reason: str, *, warns: bool = False) -> list[Choice]:
        """Recorded graphs in ``dtype`` for this CPU."""
        return [_choice(each, reason, self.criteria, warns) for each in self._fitting() if each.dtype == dtype]

    def missing_features(self, dtype: str) -> set[str]:
        """The CPU features that recorded graphs in ``dtype`` need and this CPU lacks."""
        needed = (entry.cpu_features for entry in self.entries if entry.dtype == dtype)
        return {feature for features in needed for feature in features} - self.criteria.features

    def _fitting(self) -> list[GraphRecord]:
        on_gpu = not self.criteria.on_cpu
        features = self.criteria.features | ({GPU} if on_gpu else set())
        runs = {"bfloat16": self.criteria.bfloat16 or on_gpu, "float16": on_gpu}
        return [each for each in self.entries if each.cpu_features <= features and runs.get(each.dtype, True)]

    def by_name(self, dtype: str, reason: str, warns: bool) -> list[Choice]:
        """Graphs that are in ``dtype`` by their name, and not recorded in it."""
        recorded = {(entry.engine, entry.file) for entry in self.entries if entry.dtype == dtype}
        computes = "float32" if dtype == "auto" else dtype
        return [
            Choice(engine, graph.file, computes, *self._said(graph, reason, warns))
            for engine in self.engines
            for graph in self._named(engine, computes)
            if (engine, graph.file) not in recorded
        ]

    def _named(self, engine: str, dtype: str) -> list[NamedGraph]:
        """The graphs that compute in ``dtype`` by their names, the best first; beside a record only a usual name."""
        if engine == "onnx" and dtype == "bfloat16" and self.criteria.on_cpu:
            return []
        if engine == "openvino" and dtype != "int8":
            dtype = "float32"  # OpenVINO converts a float32 graph while it compiles it
        named = named_graphs(self.graphs, engine, self.criteria.features)
        fitting = [graph for graph in named if graph.dtype == dtype and self._fits(graph)]
        return [graph for graph in fitting if graph.usual][:1] if self.recorded_folder else fitting

    def _fits(self, graph: NamedGraph) -> bool:
        return graph.feature is None or graph.feature in self.criteria.features

    def _said(self, graph: NamedGraph, reason: str, warns: bool) -> tuple[str, bool]:
        return (reason, warns) if graph.usual else (f"{reason}, and no graph has the usual name{_OTHERS}", True)

    def inexact(self) -> list[Choice]:
        """Graphs that are below float32 by their names, the most exact first, then those that suit this CPU."""
        named = [
            (EXACTNESS.index(graph.dtype), not self._fits(graph), place, engine, graph)
            for engine in self.engines
            for place, graph in enumerate(named_graphs(self.graphs, engine, self.criteria.features))
            if graph.dtype != "float32"
        ]
        return [
            Choice(engine, graph.file, graph.dtype, self._why_inexact(graph), warns=True)
            for *_, engine, graph in sorted(named, key=lambda each: each[:3])
        ]

    def _why_inexact(self, graph: NamedGraph) -> str:
        lacks = "" if self._fits(graph) else f"; it was made for CPUs with {graph.feature}, which this one lacks"
        return (
            f"the folder has no float32 graph, and {graph.dtype} gives other vectors than the original{lacks}{_OTHERS}"
        )


def _ordered(available: _Available, record: Record | None) -> tuple[Choice, ...]:
    criteria = available.criteria
    default = record.default_dtype if record and criteria.dtype == "auto" else None
    if record is not None and "int8" in (criteria.dtype, default):
        choices = _int8(available, _asked(criteria) if default is None else _DEFAULT.format(default))
    elif default is not None:
        choices = [*available.recorded(default, _DEFAULT.format(default)), *available.lossless(_FASTEST)]
    elif criteria.dtype == "auto":
        choices = available.lossless(_FASTEST if record else "float32 by its name, as the folder has no edge_st.json")
        if record is None:
            choices += available.inexact()
    else:
        choices = available.of(criteria.dtype, _asked(criteria))
    return tuple(dict.fromkeys(choices))


def _int8(available: _Available, why: str) -> list[Choice]:
    """Int8 graphs, first of the engines that are faster in int8 than in float32 here, then lossless ones.

    Graphs that are int8 by their name alone count where int8 was asked for. Where no engine is faster, int8 runs if it
    was asked for, or if the folder has nothing else. The choice warns where int8 was asked for and does not run.
    """
    criteria, asked = available.criteria, available.criteria.dtype == "int8"
    measured = available.recorded("int8", why)
    fast = [each for each in measured if criteria.gains_from_int8(each.engine)]
    slow = [replace(each, reason=f"{each.reason}; {_NO_GAIN}") for each in measured if each not in fast]
    graphs = [*fast, *slow, *(available.by_name("int8", why, warns=False) if asked else ())]
    if fast or (graphs and asked):
        return [*graphs, *available.lossless(_FASTEST)]
    if slow:
        return available.lossless(f"{why}, but {_NO_GAIN}; the {_FASTEST} runs instead") or slow
    if lacking := ", ".join(sorted(available.missing_features("int8"))):
        cause = f"this CPU lacks {lacking}, for which the int8 graphs were made"
        return available.lossless(f"{why}, but {cause}; the {_FASTEST} runs instead", warns=asked)
    return [] if asked else available.lossless(_FASTEST)


def _choice(entry: GraphRecord, reason: str, criteria: Criteria, warns: bool) -> Choice:
    of_dtype = {"int8": int8_features(criteria.features), "bfloat16": BFLOAT16 & criteria.features}
    features = of_dtype.get(entry.dtype, frozenset()) | (entry.cpu_features & criteria.features)
    used = ", ".join(sorted(features))
    return Choice(entry.engine, entry.file, entry.dtype, f"{reason} ({used})" if used else reason, warns)


def _asked(criteria: Criteria) -> str:
    return f"dtype={criteria.dtype!r} was requested"


def _check(criteria: Criteria) -> None:
    if criteria.backend != "auto":
        require_engine(criteria.backend)
    check_dtype(criteria.dtype)
    if criteria.dtype == "float16" and criteria.on_cpu:
        raise OptionError("dtype 'float16' is slower than float32 on a CPU; use dtype='auto', or a GPU: device='cuda'")
    computes = criteria.bfloat16 or not criteria.on_cpu
    if criteria.dtype == "bfloat16" and not (computes and (criteria.backend != "onnx" or not criteria.on_cpu)):
        raise OptionError(
            "dtype 'bfloat16' needs backend='openvino' and a CPU with avx512_bf16, amx_bf16 or bf16 (edge-st doctor "
            "lists them), or a GPU: device='cuda'; use dtype='auto'"
        )


def check_dtype(dtype: str) -> None:
    """Raise OptionError for an unknown ``dtype``."""
    if dtype not in DTYPES:
        raise OptionError(f"dtype is {dtype!r}; expected one of {', '.join(map(repr, DTYPES))}")


def _named(graphs: list[str], file_name: str, record: Record | None, criteria: Criteria) -> Choice:
    """``file_name`` as sentence-transformers resolves it: below the folder, or below onnx/ or openvino/."""
    places = [file_name, f"onnx/{file_name}", f"openvino/{file_name}"]
    file = next((place for place in places if place in graphs), None)
    if file is None:
        raise MissingFileError(
            f"file_name {file_name!r} is not in the model folder; it has {', '.join(graphs) or 'no graph'}"
        )
    engine = "openvino" if criteria.backend == "openvino" or file.endswith(ENDINGS["openvino"]) else "onnx"
    if criteria.backend not in ("auto", engine):
        raise OptionError(
            f"file_name {file_name!r} is an OpenVINO graph; use it with backend='openvino', not {criteria.backend!r}"
        )
    require_engine(engine)
    recorded = {entry.dtype for entry in record.graphs if entry.file == file} if record else set()
    return Choice(
        engine, file, _dtype_of(file, file_name, recorded, criteria.dtype), f"file_name={file_name!r} was requested"
    )


def _dtype_of(file: str, file_name: str, recorded: set[str], dtype: str) -> str:
    """What ``file`` computes in: ``dtype`` where it was asked for; raises OptionError where the graph cannot do that.

    ``recorded`` are the dtypes that the record has for the file.
    """
    named = dtype_by_name(file)
    quantized = recorded == {"int8"} or (not recorded and named in ("int8", "int4"))
    if (quantized and dtype not in ("auto", *recorded, named)) or (recorded and dtype == "int8" and not quantized):
        raise OptionError(
            f"file_name {file_name!r} computes in {' and '.join(sorted(recorded)) or named}, but dtype is "
            f"{dtype!r}; leave one of them out"
        )
    if dtype != "auto":
        return dtype
    return "int8" if recorded == {"int8"} else named
