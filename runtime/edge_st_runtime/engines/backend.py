"""The interface between the runtime and an engine, and the one place where an engine is opened."""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..arrays import Floats, Ids, TokenBatch
from ..errors import EngineError, EngineMissingError, OptionError
from ..machine.process import NoFork

DTYPES = ("auto", "float32", "bfloat16", "float16", "int8")
_INSTALL = {"onnx": ("onnxruntime", "edge-st[onnx]"), "openvino": ("openvino", "edge-st[openvino]")}
_MODULES = {"onnx": "ort", "openvino": "ov"}
#: engines, and Python as they return to it, hold locks while they run; OpenVINO while it compiles, too
no_fork = NoFork()


class Pooled(NamedTuple):
    """What a graph does with token embeddings: pooling by ``modes``, whose results are joined, then normalization."""

    modes: tuple[str, ...]
    normalize: bool


@dataclass(frozen=True)
class EngineOptions:
    """How to open a graph: threads, dtype, and the device or execution provider.

    ``scores`` says that the graph compares two texts, so that its output is scores. ``token_budget`` replaces the
    engine's own. ``rows`` are the numbers of ids that the model has embeddings for, by input. ``linked`` says that the
    graph's weights are behind links that lead out of its folder, which engines do not follow. ``pooled`` asks for the
    pooling of token embeddings within the graph, where the engine can do that. In the ``background`` threads of the
    engine have the lowest priority and never spin, where the engine can do that. ``outputs`` are the names of those
    that are taken of a graph with several heads, first the one that `Backend.run` gives; without them the names and
    shapes of its outputs decide.
    """

    num_threads: int
    dtype: str = "float32"
    device: str | None = None
    provider: str | None = None
    provider_options: Mapping[str, Any] = field(default_factory=dict)
    session_options: Any = None
    scores: bool = False
    token_budget: int | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    linked: bool = False
    pooled: Pooled | None = None
    background: bool = False
    outputs: tuple[str, ...] = ()


class Backend(Protocol):
    """A loaded graph. Many threads may call ``run`` at once, and a forked process may call it again."""

    @property
    def concurrency(self) -> int:
        """The number of concurrent callers that keep all threads busy."""
        ...

    @property
    def padding_step(self) -> int:
        """The padded length of a batch of longer texts should be a multiple of this."""
        ...

    @property
    def token_budget(self) -> int:
        """The size of a batch, in tokens with padding, at which the engine is fastest."""
        ...

    @property
    def least_tokens(self) -> int:
        """The least tokens of a batch: two smaller ones in parallel take no less time than one with all their texts."""
        ...

    @property
    def meaning(self) -> str:
        """What the output of `run` is: "token_embeddings", "sentence_embedding", "scores" or "token_weights"."""
        ...

    @property
    def output(self) -> str:
        """The name of that output in the graph."""
        ...

    @property
    def width(self) -> int | None:
        """The size of the last axis of that output; None where the graph does not say."""
        ...

    def run(self, batch: TokenBatch) -> Floats:
        """The output, as ``meaning`` says: (batch, tokens, hidden), (batch, dim) or (batch, labels), float32."""
        ...

    def run_outputs(self, batch: TokenBatch, names: Sequence[str]) -> list[Floats]:
        """Several of the outputs that the options name, in one pass: (batch, …) each, float32."""
        ...

    @property
    def prunes(self) -> bool:
        """Whether `run_pruned` may be called."""
        ...

    def run_pruned(self, batch: TokenBatch, max_active_dims: int) -> tuple[Ids, Floats]:
        """The dimensions and the values of the largest values of sparse embeddings: (batch, max_active_dims) each."""
        ...

    @property
    def pooled(self) -> Pooled | None:
        """The pooling that `run_pooled` does; None where it may not be called."""
        ...

    def run_pooled(self, batch: TokenBatch, shares: Mapping[str, Floats]) -> Floats:
        """The pooled embeddings (batch, dim) float32; ``shares`` by mode, as in `pooled_graph`: (batch, tokens)."""
        ...

    def info(self) -> dict[str, Any]:
        """The engine, its version, its providers and its threads."""
        ...


class PoolsOutside:
    """The base of backends whose token embeddings are pooled by NumPy."""

    pooled: Pooled | None = None

    def run_pooled(self, batch: TokenBatch, shares: Mapping[str, Floats]) -> Floats:
        """Raise NotImplementedError: these backends do not pool."""
        raise NotImplementedError


class InNumPy(PoolsOutside):
    """The base of backends that compute with NumPy and need no engine."""

    concurrency = 1
    padding_step = 1
    token_budget = 512
    least_tokens = 1
    prunes = False

    def run_pruned(self, batch: TokenBatch, max_active_dims: int) -> tuple[Ids, Floats]:
        """Raise NotImplementedError: these backends do not prune."""
        raise NotImplementedError

    def run_outputs(self, batch: TokenBatch, names: Sequence[str]) -> list[Floats]:
        """Raise NotImplementedError: these backends have one output."""
        raise NotImplementedError

    def info(self) -> dict[str, Any]:
        """The engine, its version, its providers and its threads."""
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
    """The version of an installed ``engine``; imports it."""
    version: str = _import(engine).VERSION
    return version


def open_backend(engine: str, graph: Path, options: EngineOptions) -> Backend:
    """Import ``engine`` and open ``graph`` with it.

    Raises EngineMissingError, MissingFileError, DamagedFileError for a graph that does not load, ProviderError where
    the requested provider or device is not available, OptionError for options that the engine does not take.
    """
    require_engine(engine)
    backend: Backend = _import(engine).open_graph(graph, options)
    return backend


def _import(engine: str) -> Any:
    try:
        return importlib.import_module(f".{_MODULES[engine]}", __package__)
    except RuntimeError as error:  # OpenVINO starts no more after the main thread has ended
        package = _INSTALL[engine][0]
        raise EngineError(
            f"{package} cannot be imported now ({error}); write at the program's start: import {package}"
        ) from error
