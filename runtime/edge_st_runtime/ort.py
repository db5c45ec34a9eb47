"""ONNX Runtime as a backend."""

import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Floats, TokenBatch
from .backend import EngineOptions
from .errors import DamagedFileError, EngineError, MissingFileError, OptionError, ProviderError
from .process import PerProcess, default_environment
from .signature import Port, Signature, resolve_signature

# From 1.29 on, onnxruntime sends usage data to its makers, from a thread that also keeps a forked child from ending.
with default_environment("ORT_DISABLE_TELEMETRY", "1"):
    import onnxruntime as ort

_CPU = "CPUExecutionProvider"
_DEVICES = {"cpu": _CPU, "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
_DTYPES = {
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_, "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}  # fmt: skip
_THREADS_OF_A_RUN = 4


@dataclass(frozen=True)
class _Session:
    """A session and the number of runs that it is allowed at once."""

    session: ort.InferenceSession
    slots: threading.BoundedSemaphore


class OrtBackend:
    """A graph in an ONNX Runtime session that all threads share, with one copy of the weights.

    Every run computes with all threads, which spin within a run and sleep after it. Runs are let in a few at a time:
    more would fight over the same cores.
    """

    def __init__(self, graph: Path, options: EngineOptions) -> None:
        runs = max(1, options.num_threads // _THREADS_OF_A_RUN)
        self.concurrency = runs + 1 if options.num_threads > 1 else 1
        self._options = options
        self._session = PerProcess(partial(_open, graph, options, runs))
        self._signature = _signature(graph, self._session.get().session)
        self.meaning, self.output = self._signature.meaning, self._signature.output

    def run(self, batch: TokenBatch) -> Floats:
        """Run the graph; raises EngineError."""
        own, feeds = self._session.get(), self._signature.feeds(batch)
        try:
            with own.slots:
                (output,) = own.session.run([self._signature.output], feeds)
        except Exception as error:  # onnxruntime's errors share no base
            raise EngineError(f"ONNX Runtime failed on a batch of shape {batch.shape}: {error}") from error
        return np.asarray(output, dtype=np.float32)

    def info(self) -> dict[str, Any]:
        """Engine, version, the providers that the session really has, threads."""
        return {
            "engine": "onnx",
            "engine_version": ort.__version__,
            "providers": self._session.get().session.get_providers(),
            "threads": self._options.num_threads,
        }


open_graph = OrtBackend


def _open(graph: Path, options: EngineOptions, runs: int) -> _Session:
    provider, provider_options = _provider(options)
    try:
        session = ort.InferenceSession(
            str(graph),
            options.session_options or _session_options(options.num_threads),
            providers=[(provider, provider_options)] if provider == _CPU else [(provider, provider_options), _CPU],
        )
    except Exception as error:  # onnxruntime's errors share no base
        if not graph.is_file():
            raise MissingFileError(f"{graph} is missing; export the model again or download it") from error
        raise DamagedFileError(
            f"ONNX Runtime cannot load {graph} ({graph.stat().st_size} bytes): {error}. "
            "Download it again, or export it again with: edge-st export"
        ) from error
    if session.get_providers()[0] != provider:
        raise ProviderError(
            f"{provider} was requested and the session got {', '.join(session.get_providers())}; "
            "see what is missing with: edge-st doctor"
        )
    session.disable_fallback()
    return _Session(session, threading.BoundedSemaphore(runs))


def _session_options(num_threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", "100")
    return options


def _provider(options: EngineOptions) -> tuple[str, dict[str, Any]]:
    name, _, index = (options.device or "cpu").partition(":")
    if options.provider is None and name not in _DEVICES:
        raise OptionError(f"device is {options.device!r}; ONNX Runtime takes {', '.join(_DEVICES)} or provider=…")
    provider = options.provider or _DEVICES[name]
    if provider not in ort.get_available_providers():
        hint = "pip install 'edge-st[onnx-gpu]' in place of onnxruntime" if "CUDA" in provider else "edge-st doctor"
        raise ProviderError(
            f"execution provider {provider} is not in this onnxruntime, which has "
            f"{', '.join(ort.get_available_providers())}; try: {hint}"
        )
    return provider, {**({"device_id": index} if index else {}), **options.provider_options}


def _signature(graph: Path, session: ort.InferenceSession) -> Signature:
    return resolve_signature(graph.name, _ports(session.get_inputs()), _ports(session.get_outputs()))


def _ports(nodes: list[Any]) -> list[Port]:
    return [Port(node.name, np.dtype(_DTYPES.get(node.type, np.float32)), len(node.shape)) for node in nodes]
