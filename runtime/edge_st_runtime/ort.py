"""ONNX Runtime as a backend."""

import threading
from collections.abc import Iterable
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
_EXTERNAL_WEIGHTS = "_data"


@dataclass(frozen=True)
class _Session:
    """A session and the number of runs that it is allowed at once."""

    session: ort.InferenceSession
    slots: threading.BoundedSemaphore


class OrtBackend:
    """A graph in ONNX Runtime, with one copy of the weights.

    A batch that runs alone computes with all threads, which spin within a run and sleep after it. Many batches are
    fastest one thread each. Where the weights are in a file beside the graph, which ONNX Runtime maps into memory, a
    second session over the same pages does that; otherwise the first one lets in a few runs at a time.
    """

    padding_step = 1

    def __init__(self, graph: Path, options: EngineOptions) -> None:
        threads = options.num_threads
        runs = max(1, threads // _THREADS_OF_A_RUN)
        mapped = graph.with_name(graph.name + _EXTERNAL_WEIGHTS).is_file()
        paired = mapped and threads > 1 and options.session_options is None and _provider(options)[0] == _CPU
        self._options = options
        own = options.session_options or _session_options(threads)
        self._alone = PerProcess(partial(_open, graph, options, own, runs))
        self._together = (
            PerProcess(partial(_open, graph, options, _one_thread_options(), threads)) if paired else self._alone
        )
        self.concurrency = 1 if threads == 1 else threads if paired else runs + 1
        self._signature = _signature(graph, self._alone.get().session)
        self.meaning, self.output = self._signature.meaning, self._signature.output

    def run(self, batch: TokenBatch, alone: bool = True) -> Floats:
        """Run the graph; raises EngineError."""
        own, feeds = (self._alone if alone else self._together).get(), self._signature.feeds(batch)
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
            "providers": self._alone.get().session.get_providers(),
            "threads": self._options.num_threads,
        }


open_graph = OrtBackend


def _open(graph: Path, options: EngineOptions, session_options: ort.SessionOptions, runs: int) -> _Session:
    provider, provider_options = _provider(options)
    try:
        session = ort.InferenceSession(
            str(graph),
            session_options,
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
    options.enable_mem_pattern = False  # a block for every shape it met would be kept
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", "2000")
    return options


def _one_thread_options() -> ort.SessionOptions:
    """One thread, and the mapped weights as they are: packing would copy them."""
    options = _session_options(1)
    options.add_session_config_entry("session.disable_prepacking", "1")
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


def _ports(nodes: Iterable[Any]) -> list[Port]:
    return [Port(node.name, np.dtype(_DTYPES.get(node.type, np.float32)), len(node.shape)) for node in nodes]
