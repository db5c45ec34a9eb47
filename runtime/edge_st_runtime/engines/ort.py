"""ONNX Runtime as a backend."""

import queue
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Floats, Ids, TokenBatch
from ..errors import DamagedFileError, EdgeSTError, EngineError, MissingFileError, OptionError, ProviderError
from ..files.onnx_graphs import external_files, mapped, with_links_followed
from ..files.shortage import shortage
from ..machine.process import PerProcess
from .backend import EngineOptions
from .query_blocks import in_blocks
from .quiet_onnxruntime import onnxruntime as ort
from .signature import ACTIVE_INDICES, ACTIVE_VALUES, Port, Signature, resolve_signature

_CPU = "CPUExecutionProvider"
_DEVICES = {"cpu": _CPU, "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
_DTYPES = {
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_, "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}  # fmt: skip
#: fusions that make a graph slower: the fused operator takes eight times as long as an addition and a normalization do
SLOW_ON_CPU = ("SkipLayerNormFusion",)
_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"
_CALLER = 0
_SPIN_MICROSECONDS = 1000
_SHORT_SPIN = "50"  # microseconds, from one operator of a block to the next
_TOKEN_BUDGET = 256
#: tokens; attention of a longer text is computed in blocks of queries, which takes less time from there on
WHOLE_ATTENTION = 768


@dataclass(frozen=True)
class _Session:
    """A session, and its idle threads: the caller's own (taken first) and those of the session's pool.

    A single run is on the caller's thread, and all idle threads of the pool take part in it. When there is a run on
    every thread, each core computes its own batch, with one copy of the weights.
    """

    session: ort.InferenceSession
    idle: "queue.PriorityQueue[int]"

    def run(self, outputs: list[str], feeds: dict[str, Any]) -> list[Any]:
        thread = self.idle.get()
        try:
            return list((self.session.run if thread == _CALLER else self._run_in_pool)(outputs, feeds))
        finally:
            self.idle.put(thread)

    def _run_in_pool(self, outputs: list[str], feeds: dict[str, Any]) -> list[Any]:
        found: Future[list[Any]] = Future()

        def finish(values: list[Any], _feeds: dict[str, Any], error: str) -> None:
            if error:
                found.set_exception(RuntimeError(error))
            else:
                found.set_result(values)

        self.session.run_async(outputs, feeds, finish, feeds)  # the last argument keeps the arrays alive until the end
        return found.result()


class OrtBackend:
    """A graph in ONNX Runtime: one session, one copy of the weights.

    A batch that runs alone uses all threads. Afterwards they spin for a millisecond, waiting for the next batch, and
    then sleep. Several batches at the same time run on one thread each, which is fastest.

    The first text of more than `WHOLE_ATTENTION` tokens opens a second session over the same weights, for such texts.
    """

    padding_step = 1
    least_tokens = 128  # smaller batches are computed one after the other, by all threads together

    def __init__(self, graph: Path, options: EngineOptions) -> None:
        self._options = options
        self.token_budget = options.token_budget or _TOKEN_BUDGET
        self._session = PerProcess(partial(_open, graph, options))
        opening = partial(_open_for_long, graph.absolute(), options, self._session, _state(graph))
        self._session_for_long = PerProcess(opening)
        self.concurrency = options.num_threads
        signature = _signature(graph, self._session.get().session, scores=options.scores)
        self._signature = replace(signature, rows=options.rows)
        self.meaning, self.output = self._signature.meaning, self._signature.output
        self.width, self.prunes = self._signature.width, self._signature.prunes

    def run(self, batch: TokenBatch) -> Floats:
        """Run the graph; raises EngineError."""
        (output,) = self._run([self._signature.output], batch)
        return np.asarray(output, dtype=np.float32)

    def run_pruned(self, batch: TokenBatch, max_active_dims: int) -> tuple[Ids, Floats]:
        """Run a graph that prunes; raises EngineError."""
        indices, values = self._run([ACTIVE_INDICES, ACTIVE_VALUES], batch, max_active_dims)
        return indices, np.asarray(values, dtype=np.float32)

    def _run(self, outputs: list[str], batch: TokenBatch, max_active_dims: int = 1) -> list[Any]:
        feeds = self._signature.feeds(batch, max_active_dims)
        session = self._session_for(*batch.shape)
        try:
            return session.run(outputs, feeds)
        except Exception as error:  # onnxruntime's errors share no base
            doing = f"ONNX Runtime failed on a batch of shape {batch.shape}"
            raise shortage(error, doing) or EngineError(f"{doing}: {error}") from error

    def _session_for(self, texts: int, tokens: int) -> _Session:
        return (self._session_for_long if texts == 1 and tokens > WHOLE_ATTENTION else self._session).get()

    def info(self) -> dict[str, Any]:
        """The engine, its version, the providers that the session really has, and its threads."""
        return {
            "engine": "onnx",
            "engine_version": VERSION,
            "providers": self._session.get().session.get_providers(),
            "threads": self._options.num_threads,
        }


open_graph = OrtBackend
VERSION = str(ort.__version__)


def _open(graph: Path, options: EngineOptions) -> _Session:
    session_options = options.session_options or _session_options(options.num_threads)
    opened = _linked(graph, session_options) if options.linked else str(graph)
    session = _start(opened, graph, options, session_options)
    idle: queue.PriorityQueue[int] = queue.PriorityQueue()
    on_cpu = session.get_providers()[0] == _CPU
    for thread in range(max(1, session_options.intra_op_num_threads) if on_cpu else 1):
        idle.put(thread)
    return _Session(session, idle)


def _state(graph: Path) -> object:
    """Something else after ``graph`` or a file of its weights was replaced; None where one is missing."""
    try:
        found = [path.stat() for path in (graph, *external_files(graph))]
    except (OSError, EdgeSTError):
        return None
    return [(each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns) for each in found]


def _open_for_long(graph: Path, options: EngineOptions, ordinary: PerProcess[_Session], state: object) -> _Session:
    """A session for long texts, which shares the threads' turns with the ``ordinary`` one.

    That one itself where the files no longer have the ``state`` that it found, where the graph has no attention that
    blocks can give, is in float16 or does not run on the CPU, and with the caller's session options.
    """
    session = ordinary.get()
    on_cpu = session.session.get_providers()[0] == _CPU
    if options.session_options is not None or options.dtype == "float16" or not on_cpu or _state(graph) != state:
        return session
    session_options = _session_options(options.num_threads)
    with mapped(graph) as data:
        changed = in_blocks(_linked(graph, session_options) if options.linked else data)
    if changed is None:
        return session
    if not options.linked:
        session_options.add_session_config_entry(_WEIGHTS_FOLDER, str(graph.parent))
    session_options.add_session_config_entry("session.disable_prepacking", "1")  # no second copy of the weights
    session_options.add_session_config_entry("session.intra_op.spin_duration_us", _SHORT_SPIN)
    return _Session(_start(changed, graph, options, session_options), session.idle)


def _linked(graph: Path, session_options: ort.SessionOptions) -> bytes:
    """The graph, whose weights the session finds behind links."""
    root = Path(graph.resolve().anchor).as_posix()
    session_options.add_session_config_entry(_WEIGHTS_FOLDER, root)
    return with_links_followed(graph, root)


def _start(
    opened: str | bytes, graph: Path, options: EngineOptions, session_options: ort.SessionOptions
) -> ort.InferenceSession:
    """Start a session of ``opened``, which is ``graph`` or made from it."""
    provider, provider_options = _provider(options)
    try:
        session = ort.InferenceSession(
            opened,
            session_options,
            providers=[(provider, provider_options)] if provider == _CPU else [(provider, provider_options), _CPU],
            disabled_optimizers=SLOW_ON_CPU if provider == _CPU else (),
        )
    except Exception as error:  # onnxruntime's errors share no base
        if not graph.is_file():
            raise MissingFileError(f"{graph} is missing; export the model again or download it") from error
        raise _lacking(error, graph) or DamagedFileError(
            f"ONNX Runtime cannot load {graph} ({graph.stat().st_size} bytes): {error}. "
            "Download it again, or export it again with: edge-st export"
        ) from error
    if session.get_providers()[0] != provider:
        raise ProviderError(
            f"{provider} was requested, but the session got {', '.join(session.get_providers())}; "
            "see what is missing with: edge-st doctor"
        )
    session.disable_fallback()
    return session


def _lacking(error: Exception, graph: Path) -> EdgeSTError | None:
    """What this machine lacks to load ``graph``; None where that is not why."""
    doing = f"ONNX Runtime cannot load {graph}"
    if "procfs" in str(error):
        return EngineError(
            f"{doing} where /proc is missing ({error}); mount it: mount -t proc proc /proc, or try backend='openvino'"
        )
    return shortage(error, doing)


def _session_options(num_threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it would keep a block of memory for every shape of batch
    options.log_severity_level = 4  # what fails is an error here, whose message cannot steer a terminal
    options.add_session_config_entry("session.dynamic_block_base", "4")  # all threads of a run finish together
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN_MICROSECONDS))
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


def _signature(graph: Path, session: ort.InferenceSession, *, scores: bool) -> Signature:
    return resolve_signature(graph.name, _ports(session.get_inputs()), _ports(session.get_outputs()), scores=scores)


def _ports(nodes: Iterable[Any]) -> list[Port]:
    return [
        Port(node.name, np.dtype(_DTYPES.get(node.type, np.float32)), len(node.shape), _last(node.shape))
        for node in nodes
    ]


def _last(shape: Sequence[int | str | None]) -> int | None:
    return shape[-1] if shape and isinstance(shape[-1], int) else None
