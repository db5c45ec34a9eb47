"""What the name of a graph file says: its precision, and the CPU it was made for.

These are the names that sentence-transformers, Optimum, transformers.js and others give. They decide where no
edge_st.json does.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath

#: from the most exact to the least
EXACTNESS = ("float32", "float16", "bfloat16", "int8", "int4")
#: the words in a name that tell the precision; within a precision the first is preferred
_WORDS = {
    "o4": "float16", "fp16": "float16", "float16": "float16", "f16": "float16", "half": "float16",
    "bf16": "bfloat16", "bfloat16": "bfloat16",
    "int8": "int8", "qint8": "int8", "quint8": "int8", "quantized": "int8", "uint8": "int8", "q8": "int8",
    "q4": "int4", "int4": "int4", "uint4": "int4", "q4f16": "int4", "bnb4": "int4", "nf4": "int4",
}  # fmt: skip
#: the words that tell the CPU, with the feature that it must have; a graph for the first is preferred
_CPUS = {"vnni": "avx512_vnni", "avx512": "avx512f", "avx2": "avx2", "arm64": "asimd"}
_OPTIMIZED = ("o1", "o2", "o3", "optimized")
_USUAL = ("model", "openvino model")


@dataclass(frozen=True)
class NamedGraph:
    """A graph ``file`` that computes in ``dtype``; ``feature`` is what its CPU must have, None for any CPU.

    ``usual`` says that it has one of the names by which exporters tell what a model's graph is.
    """

    file: str
    dtype: str
    feature: str | None
    usual: bool


def named_graphs(graphs: Collection[str], engine: str, features: frozenset[str]) -> list[NamedGraph]:
    """Those of ``graphs`` that ``engine`` opens, as their names describe them.

    The most exact come first, then those that suit a CPU with ``features``. Graphs that are named after something else
    than "model" are left out where there are several such names: it cannot be told which is the model.
    """
    endings = {"onnx": (".onnx",), "openvino": (".xml", ".onnx")}[engine]
    described = [_Description(file) for file in graphs if file.endswith(endings)]
    others = {each.base for each in described if each.base not in _USUAL}
    known = [each for each in described if each.base in _USUAL or len(others) == 1]
    return [_named(each, engine) for each in sorted(known, key=lambda each: each.rank(features))]


def _named(described: "_Description", engine: str) -> NamedGraph:
    exact = described.dtype == "float32"
    plain = not described.optimized if exact else engine == "onnx" or described.ending == ".xml"
    return NamedGraph(described.file, described.dtype, described.feature, described.base in _USUAL and plain)


class _Description:
    """The parts of a name such as ``onnx/model_qint8_avx512_vnni.onnx``."""

    def __init__(self, file: str) -> None:
        path = PurePosixPath(file)
        words = re.split(r"[_.\-]", path.stem.lower())
        found = [word for word in _WORDS if word in words]
        self.file, self.ending, self.folder = file, path.suffix, path.parent.as_posix()
        self.dtype = max((_WORDS[word] for word in found), key=EXACTNESS.index, default="float32")
        self.preference = min((list(_WORDS).index(word) for word in found), default=-1)
        self.feature = next((_CPUS[word] for word in _CPUS if word in words), None)
        self.optimized = any(word in _OPTIMIZED for word in words)
        self.base = " ".join(word for word in words if word not in (*_WORDS, *_CPUS, *_OPTIMIZED))

    def rank(self, features: frozenset[str]) -> tuple[object, ...]:
        """What graphs are sorted by, the best first."""
        cpus = list(_CPUS.values())
        return (
            EXACTNESS.index(self.dtype),
            self.feature is not None and self.feature not in features,
            self.base not in _USUAL,
            self.ending != ".xml",
            cpus.index(self.feature) if self.feature else len(cpus),
            self.optimized,
            self.preference,
            self.folder == ".",
            self.file,
        )


def dtype_by_name(file: str) -> str:
    """ "float32", "float16", "int8" or "int4", as the name of a graph file says."""
    return _Description(file).dtype
