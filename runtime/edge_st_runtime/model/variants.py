"""Which graph file of a model folder to run, with which engine and in which precision. Pure: names in, choice out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ..engines.backend import DTYPES, require_engine
from ..errors import EngineMissingError, MissingFileError, OptionError
from ..machine.cpu import BFLOAT16, INT8, has_int8
from .record import GraphRecord, Record

ENDINGS = {"onnx": ".onnx", "openvino": ".xml"}
_FLOAT32 = {
    "onnx": ("onnx/model.onnx", "model.onnx"),
    "openvino": ("openvino/openvino_model.xml", "openvino_model.xml", "onnx/model.onnx", "model.onnx"),
}
_FLOAT16 = ("onnx/model_O4.onnx", "onnx/model_fp16.onnx")
_INT8_OPENVINO = ("openvino/openvino_model_int8.xml", "openvino/openvino_model_qint8_quantized.xml")
_INT8_ONNX = {  # names that sentence-transformers and other exporters give, with the CPU feature each was made for
    "onnx/model_qint8_avx512_vnni.onnx": "avx512_vnni",
    "onnx/model_qint8_avx512.onnx": "avx512f",
    "onnx/model_quint8_avx2.onnx": "avx2",
    "onnx/model_qint8_arm64.onnx": "asimd",
    "onnx/model_int8.onnx": None,
    "onnx/model_quantized.onnx": None,
}
_FASTEST = "fastest lossless variant for this CPU"
_DEFAULT = "the folder's default dtype is {!r}"


@dataclass(frozen=True)
class Criteria:
    """What the caller asked for, and what this machine has.

    ``engines`` are the installed ones, best first; ``features`` those of the CPU, empty where the system does not tell;
    ``bfloat16`` says whether the CPU computes in it.
    """

    backend: str = "auto"
    dtype: str = "auto"
    file_name: str | None = None
    on_cpu: bool = True
    engines: Sequence[str] = ("onnx", "openvino")
    features: frozenset[str] = frozenset()
    bfloat16: bool = False

    @property
    def gains_from_int8(self) -> bool:
        """Whether int8 is faster than float32 here."""
        return not self.on_cpu or has_int8(self.features)

    @property
    def may_fall_back(self) -> bool:
        """Whether the variant is left to be chosen, so that another one may take its place."""
        return self.file_name is None and self.on_cpu and self.dtype in ("auto", "int8")


@dataclass(frozen=True)
class Choice:
    """The graph ``file`` (relative to the folder) to open with ``engine``, computing in ``dtype``, and why.

    ``warns`` says that the reason is not what the caller will expect. ``num_threads`` and ``token_budget`` are what
    this machine was tuned to, None where it was not.
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
    """The graphs to run among the folder's file ``names``: the best first, then what may take its place.

    With a record, its graphs in their order; ``dtype="auto"`` takes the folder's default dtype where it names one, else
    only what was measured to be lossless. A CPU that does not gain from int8 is given the fastest lossless variant
    instead, if there is one. Without a record, by the names that sentence-transformers and the Hub use, and ``auto``
    means float32.
    Raises OptionError for a criteria that this machine or format cannot grant, EngineMissingError where no engine is
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
    choices = _ordered(_Candidates(graphs, engines, entries, criteria), record)
    if not choices:
        raise MissingFileError(_nothing(graphs, criteria))
    return choices


@dataclass(frozen=True)
class _Candidates:
    """The folder's graphs that an installed engine opens, and those of them that the record tells about."""

    graphs: Sequence[str]
    engines: Sequence[str]
    entries: Sequence[GraphRecord]
    criteria: Criteria

    def lossless(self, reason: str, *, warns: bool = False) -> list[Choice]:
        """What was measured to be lossless, then what is float32 by its name."""
        paying = [each for each in self._fitting() if each.dtype != "int8" or self.criteria.gains_from_int8]
        recorded = [_choice(each, reason, self.criteria, warns) for each in paying if each.lossless]
        return [*recorded, *self._by_name("auto", reason, warns)]

    def of(self, dtype: str, reason: str, *, warns: bool = False) -> list[Choice]:
        """What the record has in ``dtype`` for this CPU, then by name what it tells nothing about."""
        return [*self.recorded(dtype, reason, warns=warns), *self._by_name(dtype, reason, warns)]

    def recorded(self, dtype: str, reason: str, *, warns: bool = False) -> list[Choice]:
        """What the record has in ``dtype`` for this CPU."""
        return [_choice(each, reason, self.criteria, warns) for each in self._fitting() if each.dtype == dtype]

    def features_of(self, dtype: str) -> set[str]:
        """The CPU features that recorded graphs in ``dtype`` need and this CPU lacks."""
        needed = (entry.cpu_features for entry in self.entries if entry.dtype == dtype)
        return {feature for features in needed for feature in features} - self.criteria.features

    def _fitting(self) -> list[GraphRecord]:
        features, on_gpu = self.criteria.features, not self.criteria.on_cpu
        here = {"bfloat16": self.criteria.bfloat16 or on_gpu, "float16": on_gpu}
        return [each for each in self.entries if each.cpu_features <= features and here.get(each.dtype, True)]

    def _by_name(self, dtype: str, reason: str, warns: bool) -> list[Choice]:
        told = {(entry.engine, entry.file) for entry in self.entries if entry.dtype == dtype}
        found = (_by_name(self.graphs, engine, dtype, self.criteria.features) for engine in self.engines)
        untold = (choice for choice in found if choice is not None and (choice.engine, choice.file) not in told)
        return [replace(choice, reason=reason, warns=warns) for choice in untold]


def _ordered(candidates: _Candidates, record: Record | None) -> tuple[Choice, ...]:
    criteria = candidates.criteria
    default = record.default_dtype if record and criteria.dtype == "auto" else None
    if record is not None and "int8" in (criteria.dtype, default):
        choices = _int8(candidates, _asked(criteria) if default is None else _DEFAULT.format(default), criteria)
    elif default is not None:
        choices = [*candidates.recorded(default, _DEFAULT.format(default)), *candidates.lossless(_FASTEST)]
    elif criteria.dtype == "auto":
        choices = candidates.lossless(_FASTEST if record else "float32: the folder has no edge_st.json")
    else:
        choices = candidates.of(criteria.dtype, _asked(criteria))
    return tuple(dict.fromkeys(choices))


def _int8(candidates: _Candidates, why: str, criteria: Criteria) -> list[Choice]:
    """Int8 where it pays, else what is lossless; said aloud where int8 was asked for, or nothing else is there."""
    chosen, lacking = candidates.of("int8", why), sorted(candidates.features_of("int8"))
    if chosen and criteria.gains_from_int8:
        return [*chosen, *candidates.lossless(_FASTEST)]
    if chosen:
        cause = f"this CPU has none of {', '.join(sorted(INT8))}, without which int8 brings no speed"
    elif lacking:
        cause = f"this CPU lacks {', '.join(lacking)}, for which the int8 graphs were made"
    else:
        return [] if criteria.dtype == "int8" else candidates.lossless(_FASTEST)
    instead = candidates.lossless(f"{why}, but {cause}: {_FASTEST} runs", warns=criteria.dtype == "int8")
    return instead or candidates.of("int8", f"{why}; {cause}, but the folder has no other graph", warns=True)


def _choice(entry: GraphRecord, reason: str, criteria: Criteria, warns: bool) -> Choice:
    used = {"int8": INT8, "bfloat16": BFLOAT16}.get(entry.dtype, frozenset()) | entry.cpu_features
    features = ", ".join(sorted(used & criteria.features))
    return Choice(entry.engine, entry.file, entry.dtype, f"{reason} ({features})" if features else reason, warns)


def _asked(criteria: Criteria) -> str:
    return f"dtype={criteria.dtype!r} asked"


def _check(criteria: Criteria) -> None:
    if criteria.backend != "auto":
        require_engine(criteria.backend)
    check_dtype(criteria.dtype)
    if criteria.dtype == "float16" and criteria.on_cpu:
        raise OptionError("dtype 'float16' is slower than float32 on a CPU; use dtype='auto', or a GPU: device='cuda'")
    if criteria.dtype == "bfloat16" and (criteria.backend == "onnx" or (criteria.on_cpu and not criteria.bfloat16)):
        raise OptionError(
            "dtype 'bfloat16' needs backend='openvino' and a CPU with avx512_bf16, amx_bf16 or bf16 (edge-st doctor "
            "lists them); use dtype='auto'"
        )


def _by_name(graphs: Sequence[str], engine: str, dtype: str, features: frozenset[str]) -> Choice | None:
    if dtype == "int8":
        fitting = [name for name, feature in _INT8_ONNX.items() if feature is None or feature in features]
        names = _INT8_OPENVINO if engine == "openvino" else tuple(fitting)
    elif dtype == "float16" and engine == "onnx":
        names = _FLOAT16
    elif dtype == "bfloat16" and engine == "onnx":
        names = ()
    else:
        names = _FLOAT32[engine]
    file = next((name for name in names if name in graphs), None)
    return Choice(engine, file, "float32" if dtype == "auto" else dtype) if file else None


def check_dtype(dtype: str) -> None:
    """Raise OptionError for one that is not known."""
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
            f"file_name {file_name!r} is OpenVINO's; use it with backend='openvino', not {criteria.backend!r}"
        )
    require_engine(engine)
    known = {entry.dtype for entry in record.graphs if entry.file == file} if record else set()
    computes = "int8" if known == {"int8"} or (not known and _dtype_by_name(file) == "int8") else None
    if (computes and criteria.dtype not in ("auto", computes)) or (known and criteria.dtype == "int8" and not computes):
        raise OptionError(
            f"file_name {file_name!r} computes in {' and '.join(sorted(known)) or computes}, but dtype is "
            f"{criteria.dtype!r}; leave one of them out"
        )
    dtype = computes or _dtype_by_name(file) if criteria.dtype == "auto" else criteria.dtype
    return Choice(engine, file, dtype, f"file_name={file_name!r} asked")


def _dtype_by_name(file: str) -> str:
    stem = PurePosixPath(file).stem
    if "int8" in stem or "quantized" in stem:
        return "int8"
    return "float16" if stem.endswith(("_fp16", "_O4")) else "float32"


def _nothing(graphs: list[str], criteria: Criteria) -> str:
    found = ", ".join(graphs) or "no graph at all"
    return (
        f"no graph for backend={criteria.backend!r}, dtype={criteria.dtype!r} "
        f"(installed: {', '.join(criteria.engines)}); the model has {found}. Leave backend and dtype out, name one by model_kwargs={{'file_name': …}}, or make one "
        "on a build machine: pip install edge-st-export && edge-st export MODEL FOLDER"
        f"{' --dtype int8' * (criteria.dtype == 'int8')}"
    )
