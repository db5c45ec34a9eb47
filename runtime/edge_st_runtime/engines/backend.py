"""The contract between the runtime and an engine, and the one place that opens one."""

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..arrays import Floats, Ids, TokenBatch
from ..errors import EngineMissingError, OptionError

DTYPES = ("auto", "float32", "bfloat16", "float16", "int8")
_INSTALL = {"onnx": ("onnxruntime", "edge-st[onnx]"), "openvino": ("openvino", "edge-st[openvino]")}
_MODULES = {"onnx": "ort", "openvino": "ov"}


@dataclass(frozen=True)
class EngineOptions:
    """How to open a graph: what to compute in, on which device, or with which execution provider.

    ``scores`` says that the graph is to compare two texts. ``token_budget`` takes the place of the engine's own.
    """

    num_threads: int
    dtype: str = "float32"
    device: str | None = None
    provider: str | None = None
    provider_options: Mapping[str, Any] = field(default_factory=dict)
    session_options: Any = None
    scores: bool = False
    token_budget: int | None = None


class Backend(Protocol):
    """A loaded graph. ``run`` may be called from many threads at once and again after a fork."""

    @property
    def concurrency(self) -> int:
        """Callers that together keep every allowed core busy."""
        ...

    @property
    def padding_step(self) -> int:
        """What the padded length of longer texts is to be a multiple of."""
        ...

    @property
    def token_budget(self) -> int:
        """Tokens of a batch, padding included, at which the engine is fastest."""
        ...

    @property
    def least_tokens(self) -> int:
        """Tokens of a batch below which a second one at the same time gains nothing over one that has them all."""
        ...

    @property
    def meaning(self) -> str:
        """What `run` gives: "token_embeddings", "sentence_embedding" or "scores"."""
        ...

    @property
    def output(self) -> str:
        """The name of that output in the graph."""
        ...

    @property
    def width(self) -> int | None:
        """The last axis of that output; None where the graph does not say."""
        ...

    def run(self, batch: TokenBatch) -> Floats:
        """The output called ``meaning``: (batch, tokens, hidden), (batch, dim) or (batch, labels) float32."""
        ...

    @property
    def prunes(self) -> bool:
        """Whether there is `run_pruned`."""
        ...

    def run_pruned(self, batch: TokenBatch, max_active_dims: int) -> tuple[Ids, Floats]:
        """Of a sparse embedding the dimensions with the largest values, and these: (batch, max_active_dims) each."""
        ...

    def info(self) -> dict[str, Any]:
        """Engine, its version, providers and threads."""
        ...


class InNumPy:
    """What the backends that need no engine share."""

    concurrency = 1
    padding_step = 1
    token_budget = 512
    least_tokens = 1
    prunes = False

    def run_pruned(self, batch: TokenBatch, max_active_dims: int) -> tuple[Ids, Floats]:
        """Nothing here prunes."""
        raise NotImplementedError

    def info(self) -> dict[str, Any]:
        """Engine and threads."""
        return {"engine": "numpy", "engine_version": np.__version__, "providers": ["CPU"], "threads": 1}


def installed_engines() -> list[str]:
    """The engines that can be imported, in order of preference."""
    return [engine for engine, (package, _) in _INSTALL.items() if importlib.util.find_spec(package)]


def require_engine(engine: str) -> None:
    """Raise OptionError for an unknown engine, EngineMissingError for one that is not installed."""
    if engine not in _INSTALL:
        raise OptionError(f"backend is {engine!r}; expected 'auto', {', '.join(map(repr, _INSTALL))}")
    package, extra = _INSTALL[engine]
    if importlib.util.find_spec(package) is None:
        raise EngineMissingError(f"backend {engine!r} needs {package}, which is not installed; pip install '{extra}'")


def engine_version(engine: str) -> str:
    """The version of an installed ``engine``, which is imported for it."""
    version: str = _import(engine).VERSION
    return version


def open_backend(engine: str, graph: Path, options: EngineOptions) -> Backend:
    """Open ``graph`` with ``engine``, imported now.

    Raises EngineMissingError, DamagedFileError for a graph that does not load, ProviderError where the requested
    provider is not what the engine gave.
    """
    require_engine(engine)
    backend: Backend = _import(engine).open_graph(graph, options)
    return backend


def _import(engine: str) -> Any:
    return importlib.import_module(f".{_MODULES[engine]}", __package__)
