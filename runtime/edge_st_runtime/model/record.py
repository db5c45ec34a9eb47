"""``edge_st.json``: the exporter's record of a model folder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..errors import DamagedFileError, MissingFileError
from ..files.fields import Fields
from ..files.reading import CORRECT, WrongValueError, inside, read_json, reading, sha256
from ..files.regular import is_there
from ..text.tokens import TextOrPair
from ..vectors.parity import rows_of
from .graph_files import weight_files

FILE_NAME = "edge_st.json"
FORMAT_VERSION = 2
LOSSLESS_COSINE, FLOAT32_COSINE = 0.9999, 0.99999
#: how much lower a cosine may be on another CPU than the exporter's, or for other texts
_LOSSLESS_TOLERANCE, _LOSSY_TOLERANCE = 0.0005, 0.005
#: what a folder may name as its default dtype
_DEFAULT_DTYPES = ("float32", "bfloat16", "int8")
_CONFIGURATION = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_WEIGHTS = ("model.safetensors", "idf.json")


@dataclass(frozen=True)
class GraphRecord:
    """A variant of the model: graph file, engine and dtype, with its measured parity with the original.

    ``cosine_min`` is the least cosine to the original's vectors over all texts of the parity check, ``golden_min`` over
    the golden texts (for a CrossEncoder: correlations). None where it was not measured. ``arithmetic`` is "float32"
    where a graph for GPUs was emulated on a CPU to measure it, None where the graph itself ran.
    """

    file: str
    engine: str
    dtype: str
    cpu_features: frozenset[str] = frozenset()
    cosine_min: float | None = None
    golden_min: float | None = None
    arithmetic: str | None = None

    @property
    def lossless(self) -> bool:
        """Whether its least measured cosine to the original is 0.9999 or more."""
        return self.cosine_min is not None and self.cosine_min >= LOSSLESS_COSINE

    @property
    def least(self) -> float:
        """The least cosine to the original that is accepted on any machine.

        In float32: 0.99999, or the measured cosine if that is less. In other dtypes: the measured cosine less 0.0005
        where the variant is lossless, less 0.005 where it is not.
        """
        return self._below(self.cosine_min)

    @property
    def least_golden(self) -> float:
        """As `least`, but from ``golden_min``: the correlation over few texts can be lower than over all."""
        return self._below(self.cosine_min if self.golden_min is None else self.golden_min)

    def _below(self, measured: float | None) -> float:
        if self.dtype == "float32":
            return min(FLOAT32_COSINE, measured or FLOAT32_COSINE)
        return (measured or 0.0) - (_LOSSLESS_TOLERANCE if self.lossless else _LOSSY_TOLERANCE)


@dataclass(frozen=True, eq=False)
class Golden:
    """What the original gave for the golden texts with this prompt and task: vectors (texts, dim), or logits of pairs.

    For sparse vectors only the largest values are stored. ``dimensions`` (dim,) int64 are then the dimensions that the
    columns of ``embeddings`` stand for, and a value that was not stored is 0. For token vectors, ``embeddings`` are
    those of all texts (tokens of all texts, dim), and ``counts`` (texts,) int64 says how many each text has.
    """

    prompt_name: str | None
    task: str | None
    embeddings: Floats
    dimensions: NDArray[np.int64] | None = None
    counts: NDArray[np.int64] | None = None

    def at(self, places: Sequence[int]) -> "Golden":
        """The same for the texts at ``places`` alone."""
        counts = None if self.counts is None else self.counts[list(places)]
        return replace(self, embeddings=self.embeddings[rows_of(places, self.counts)], counts=counts)

    @property
    def name(self) -> str:
        """The prompt and the task as arguments, such as "task='query'"; "embeddings" without either."""
        given = {"prompt_name": self.prompt_name, "task": self.task}
        return ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None) or "embeddings"


@dataclass(frozen=True, eq=False)
class Record:
    """The contents of ``edge_st.json``.

    ``files`` maps the name of each file to its (sha256, size in bytes). ``default_dtype`` is what ``dtype="auto"``
    means for this folder; None: the fastest lossless variant.
    """

    path: Path
    task: str
    weights_sha256: str
    fingerprint: str
    files: dict[str, tuple[str, int]]
    graphs: tuple[GraphRecord, ...]
    golden_texts: tuple[TextOrPair, ...]
    golden: tuple[Golden, ...]
    default_dtype: str | None = None

    def graph_files(self, graph: str) -> list[str]:
        """The recorded files of ``graph`` (a path relative to the model folder): itself and its weights.

        Raises DamagedFileError where the record lacks a file that the graph names, and what `weight_files` raises.
        """
        start = f"{PurePosixPath(graph).with_suffix('').as_posix()}."
        beside = [name for name in self.files if name.startswith(start)]
        folder = self.path.parent
        named = [path.relative_to(folder).as_posix() for path in weight_files(inside(folder, graph))]
        for name in named:
            if name not in self.files:
                raise DamagedFileError(f"{graph} has weights in {name}, which {self.path} does not list; {_REPAIR}")
        return list(dict.fromkeys([*beside, *named]))

    def check_file(self, name: str) -> None:
        """Raise MissingFileError or DamagedFileError unless ``name`` has its recorded size and checksum."""
        path, (expected, size) = inside(self.path.parent, name), self.files[name]
        if not is_there(path):
            raise MissingFileError(f"{path} is missing; {_REPAIR}")
        if path.stat().st_size != size:
            raise DamagedFileError(f"{path} has {path.stat().st_size} bytes, expected {size}; {_REPAIR}")
        found = sha256(path)
        if found != expected:
            raise DamagedFileError(f"{path} has sha256 {found}, expected {expected}; {_REPAIR}")

    def check_lists(self, modules: Iterable[tuple[str, Path]], graphs: Iterable[str]) -> None:
        """Raise DamagedFileError where a file that is loaded is not recorded.

        Loaded are the ``modules`` (kind, folder) and ``graphs``. A graph that nothing here names may be added.
        """
        folder = self.path.parent
        named = tuple(f"/{graph.file}" for graph in self.graphs)
        paths = [
            folder / "modules.json",
            folder / "heads.json",
            *(inside(folder, each) for each in graphs if f"/{each}".endswith(named)),
        ]
        for kind, module in modules:
            paths += [module / name for name in (*_CONFIGURATION, *(() if kind == "Transformer" else _WEIGHTS))]
        for path in paths:
            name = path.relative_to(folder).as_posix()
            if name not in self.files and is_there(path):
                raise DamagedFileError(f"{self.path} does not list {name}, which the model loads; {_REPAIR}")

    def check_files(self, names: Iterable[str]) -> None:
        """`check_file` for every name."""
        for name in names:
            self.check_file(name)


_REPAIR = "export the model again, or fetch the file again with: edge-st pull"


def read_record(folder: Path) -> Record | None:
    """The record of ``folder``, or None where it has no edge_st.json.

    Raises DamagedFileError where the file has another format version or is not as the exporter writes it.
    """
    path = folder / FILE_NAME
    if not is_there(path):
        return None
    content = read_json(path)
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise DamagedFileError(
            f"{path} has format version {version!r}, this edge-st reads {FORMAT_VERSION}; "
            "update with: pip install -U edge-st, or export the model again"
        )
    with reading(path):
        return _parse(path, Fields(content, path, CORRECT))


def _parse(path: Path, content: Fields) -> Record:
    files, golden = content.objects_by_name("files"), content.object("golden")
    texts = tuple(text if isinstance(text, str) else tuple(text) for text in golden.items("texts"))
    return Record(
        path=path,
        task=content.text("task"),
        weights_sha256=content.text("weights_sha256"),
        fingerprint=content.text("fingerprint"),
        files={name: (entry.text("sha256"), entry.count("bytes")) for name, entry in files.items()},
        graphs=tuple(map(_graph, content.objects("graphs"))),
        golden_texts=texts,
        golden=tuple(_golden(entry, len(texts)) for entry in golden.objects("vectors")),
        default_dtype=content.optional("default_dtype", lambda name: content.choice(name, _DEFAULT_DTYPES)),
    )


def _golden(entry: Fields, texts: int) -> Golden:
    rows, dimensions = entry.items("embeddings"), None
    if rows and isinstance(rows[0], dict):
        dimensions = np.array(sorted({int(dimension) for row in rows for dimension in row}), dtype=np.int64)
        rows = [[row.get(str(dimension), 0) for dimension in dimensions.tolist()] for row in rows]
    if len({len(row) for row in rows}) > 1:
        raise WrongValueError("the golden vectors have different lengths")
    counts = entry.optional("counts", entry.items)
    if counts is not None:
        _check_counts(counts, texts, len(rows))
    embeddings = np.asarray(rows, dtype=np.float32) if rows or counts is None else np.zeros((0, 0), dtype=np.float32)
    if embeddings.ndim != 2:
        raise WrongValueError(f"the golden vectors have the shape {embeddings.shape}; expected (texts, dimensions)")
    prompt_name, task = (entry.optional(name, entry.text) for name in ("prompt_name", "task"))
    return Golden(
        prompt_name, task, embeddings, dimensions, None if counts is None else np.array(counts, dtype=np.int64)
    )


def _check_counts(counts: list[Any], texts: int, rows: int) -> None:
    whole = all(type(count) is int and 0 <= count <= rows for count in counts)
    if not whole or len(counts) != texts or sum(counts) != rows:
        raise WrongValueError(
            f"golden.vectors.counts is {counts!r:.80}; expected how many of the {rows} rows each of {texts} texts has"
        )


def _graph(entry: Fields) -> GraphRecord:
    return GraphRecord(
        file=entry.text("file"),
        engine=entry.text("engine"),
        dtype=entry.text("dtype"),
        cpu_features=frozenset(entry.optional("cpu_features", entry.items) or []),
        cosine_min=entry.optional("cosine_min", entry.number),
        golden_min=entry.optional("golden_min", entry.number),
        arithmetic=entry.optional("arithmetic", entry.text),
    )
