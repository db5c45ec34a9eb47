"""Which graph file of a model folder to run, with which engine and in which precision. Pure: names in, choice out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from .backend import DTYPES, require_engine
from .errors import EngineMissingError, MissingFileError, OptionError
from .record import GraphRecord, Record

ENDINGS = {"onnx": ".onnx", "openvino": ".xml"}
_FLOAT32 = {
    "onnx": ("onnx/model.onnx", "model.onnx"),
    "openvino": ("openvino/openvino_model.xml", "openvino_model.xml", "onnx/model.onnx", "model.onnx"),
}
_FLOAT16 = ("onnx/model_O4.onnx", "onnx/model_fp16.onnx")
_INT8_OPENVINO = ("openvino/openvino_model_qint8_quantized.xml",)
_INT8_ONNX = {  # names that sentence-transformers and other exporters give, with the CPU feature each was made for
    "onnx/model_qint8_avx512_vnni.onnx": "avx512_vnni",
    "onnx/model_qint8_avx512.onnx": "avx512f",
    "onnx/model_quint8_avx2.onnx": "avx2",
    "onnx/model_qint8_arm64.onnx": "asimd",
    "onnx/model_int8.onnx": None,
    "onnx/model_quantized.onnx": None,
}


@dataclass(frozen=True)
class Wish:
    """What the caller asked for, and what this machine has.

    ``engines`` are the installed ones, best first; ``bfloat16`` says whether the CPU computes in it.
    """

    backend: str = "auto"
    dtype: str = "auto"
    file_name: str | None = None
    on_cpu: bool = True
    engines: Sequence[str] = ("onnx", "openvino")
    features: frozenset[str] = frozenset()
    bfloat16: bool = False


@dataclass(frozen=True)
class Choice:
    """The graph ``file`` (relative to the folder) to open with ``engine``, computing in ``dtype``."""

    engine: str
    file: str
    dtype: str


def choose_graph(names: Iterable[str], record: Record | None, wish: Wish) -> Choice:
    """The graph to run among the folder's file ``names``.

    With a record, the first of its graphs that fits the wish; ``dtype="auto"`` takes only what was measured to be
    lossless. Without one, by the names that sentence-transformers and the Hub use, and ``auto`` means float32.
    Raises OptionError for a wish that this machine or format cannot grant, EngineMissingError where no engine is
    installed, MissingFileError where the folder has no such graph.
    """
    _check(wish)
    graphs = sorted(name for name in names if name.endswith(tuple(ENDINGS.values())))
    engines = wish.engines if wish.backend == "auto" else [wish.backend]
    if not engines:
        raise EngineMissingError("no engine is installed; pip install 'edge-st[onnx]' or 'edge-st[openvino]'")
    if wish.file_name is not None:
        return _named(graphs, wish.file_name, wish)
    choices = [_recorded(graphs, record.graphs, engines, wish)] if record else []
    choices += [_by_name(graphs, engine, wish) for engine in engines]
    choice = next((choice for choice in choices if choice is not None), None)
    if choice is None:
        raise MissingFileError(_nothing(graphs, wish))
    return choice


def _check(wish: Wish) -> None:
    if wish.backend != "auto":
        require_engine(wish.backend)
    if wish.dtype not in DTYPES:
        raise OptionError(f"dtype is {wish.dtype!r}; expected one of {', '.join(map(repr, DTYPES))}")
    if wish.dtype == "float16" and wish.on_cpu:
        raise OptionError("dtype 'float16' is slower than float32 on a CPU; use dtype='auto', or a GPU: device='cuda'")
    if wish.dtype == "bfloat16" and (wish.backend == "onnx" or (wish.on_cpu and not wish.bfloat16)):
        raise OptionError(
            "dtype 'bfloat16' needs backend='openvino' and a CPU with avx512_bf16, amx_bf16 or bf16 (edge-st doctor "
            "lists them); use dtype='auto'"
        )


def _recorded(graphs: list[str], entries: Iterable[GraphRecord], engines: Sequence[str], wish: Wish) -> Choice | None:
    for entry in entries:
        fits = entry.engine in engines and entry.file in graphs and entry.cpu_features <= wish.features
        if fits and _dtype_fits(entry, wish):
            return Choice(entry.engine, entry.file, entry.dtype)
    return None


def _dtype_fits(entry: GraphRecord, wish: Wish) -> bool:
    possible = {"bfloat16": wish.bfloat16 or not wish.on_cpu, "float16": not wish.on_cpu}.get(entry.dtype, True)
    return possible and (entry.lossless if wish.dtype == "auto" else entry.dtype == wish.dtype)


def _by_name(graphs: list[str], engine: str, wish: Wish) -> Choice | None:
    if wish.dtype == "int8":
        fitting = [name for name, feature in _INT8_ONNX.items() if feature is None or feature in wish.features]
        names = _INT8_OPENVINO if engine == "openvino" else tuple(fitting)
    elif wish.dtype == "float16" and engine == "onnx":
        names = _FLOAT16
    elif wish.dtype == "bfloat16" and engine == "onnx":
        names = ()
    else:
        names = _FLOAT32[engine]
    file = next((name for name in names if name in graphs), None)
    return Choice(engine, file, "float32" if wish.dtype == "auto" else wish.dtype) if file else None


def _named(graphs: list[str], file_name: str, wish: Wish) -> Choice:
    """``file_name`` as sentence-transformers resolves it: below the folder, or below onnx/ or openvino/."""
    places = [file_name, f"onnx/{file_name}", f"openvino/{file_name}"]
    file = next((place for place in places if place in graphs), None)
    if file is None:
        raise MissingFileError(
            f"file_name {file_name!r} is not in the model folder; it has {', '.join(graphs) or 'no graph'}"
        )
    engine = "openvino" if wish.backend == "openvino" or file.endswith(ENDINGS["openvino"]) else "onnx"
    if wish.backend not in ("auto", engine):
        raise OptionError(
            f"file_name {file_name!r} is OpenVINO's; use it with backend='openvino', not {wish.backend!r}"
        )
    require_engine(engine)
    return Choice(engine, file, _dtype_by_name(file) if wish.dtype == "auto" else wish.dtype)


def _dtype_by_name(file: str) -> str:
    stem = PurePosixPath(file).stem
    if "int8" in stem or "quantized" in stem:
        return "int8"
    return "float16" if stem.endswith(("_fp16", "_O4")) else "float32"


def _nothing(graphs: list[str], wish: Wish) -> str:
    found = ", ".join(graphs) or "no graph at all"
    return (
        f"no graph for backend={wish.backend!r}, dtype={wish.dtype!r} (installed: {', '.join(wish.engines)}); "
        f"the model has {found}. Choose one with model_kwargs={{'file_name': …}}, or make one on a build machine: "
        "pip install edge-st-export && edge-st export MODEL FOLDER"
    )
