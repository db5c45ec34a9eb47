"""Sessions of ONNX Runtime: opened on the provider that is asked for, and on no other."""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DamagedFileError, EdgeSTError, EngineError, MissingFileError, OptionError, ProviderError
from ..files.onnx_graphs import external_files, mapped, with_links_followed
from ..files.shortage import shortage
from ..machine.background import lower_priority
from ..machine.process import PerProcess
from .backend import EngineOptions, Pooled
from .devices import CPU, CUDA, ONNX_DEVICES, PROVIDERS, Provider, split_device
from .query_blocks import in_blocks
from .quiet_onnxruntime import onnxruntime as ort

#: fusions that make a graph slower: the fused operator takes eight times as long as an addition and a normalization do
SLOW_ON_CPU = ("SkipLayerNormFusion",)
_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"
_CALLER = 0
_SPIN_MICROSECONDS = 1000
_SHORT_SPIN_MICROSECONDS = 50  # from one operator of a block to the next
_NO_KERNEL = ("NOT_IMPLEMENTED", "Could not find an implementation")
_LIBRARIES = "pip install 'onnxruntime-gpu[cuda,cudnn]'"


@dataclass(frozen=True)
class Session:
    """A session, and its idle threads: the caller's own (taken first) and those of the session's pool.

    A single run is on the caller's thread, and all idle threads of the pool take part in it. When there is a run on
    every thread, each core computes its own batch, with one copy of the weights; a further one waits, or is on its
    caller's thread if it is urgent. In the ``background`` only threads of the pool compute, at the lowest priority.

    ``place`` is the device whose memory outputs are bound to, such as ("cuda", 1), on which one batch runs at a time;
    None for the CPU, and for devices whose memory ONNX Runtime does not give out.
    """

    session: ort.InferenceSession
    idle: "queue.PriorityQueue[int]"
    place: tuple[str, int] | None = None
    background: bool = False

    def run(self, outputs: list[str], feeds: dict[str, Any], *, urgent: bool = False) -> list[Any]:
        """The ``outputs`` by name, as arrays; raises what ONNX Runtime raises."""
        try:
            thread = self.idle.get(block=not (urgent and self.place is None))
        except queue.Empty:
            return list(self.session.run(outputs, feeds))
        run = self.session.run if thread == _CALLER else self._run_in_pool
        try:
            return list((run if self.place is None else self._run_bound)(outputs, feeds))
        finally:
            self.idle.put(thread)

    def _run_bound(self, outputs: list[str], feeds: dict[str, Any]) -> list[Any]:
        """Copy the inputs to the device, run, and copy the ``outputs`` alone back."""
        assert self.place is not None
        binding = self.session.io_binding()
        for name, values in feeds.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(values))
        for name in outputs:
            binding.bind_output(name, *self.place)
        self.session.run_with_iobinding(binding)
        return list(binding.copy_outputs_to_cpu())

    def _run_in_pool(self, outputs: list[str], feeds: dict[str, Any]) -> list[Any]:
        found: Future[list[Any]] = Future()

        def finish(values: list[Any], _feeds: dict[str, Any], error: str) -> None:
            if self.background:
                lower_priority()  # of this thread of the pool
            if error:
                found.set_exception(RuntimeError(error))
            else:
                found.set_result(values)

        self.session.run_async(outputs, feeds, finish, feeds)  # the last argument keeps the arrays alive until the end
        return found.result()


def open_session(graph: Path, options: EngineOptions) -> Session:
    """Open ``graph``, with the pooling that the options ask for where it has token embeddings.

    Raises MissingFileError, DamagedFileError, ProviderError, OptionError, and EngineError where the provider cannot run
    the graph.
    """
    session_options = options.session_options or _session_options(options)
    opened: str | bytes = _linked(graph, session_options) if options.linked else str(graph)
    if options.pooled is not None:
        opened = _pooling(opened, graph, options.pooled, session_options)
    session = _start(opened, graph, options, session_options)
    idle: queue.PriorityQueue[int] = queue.PriorityQueue()
    on_cpu = session.get_providers()[0] == CPU
    background = on_cpu and _only_in_pool(options)
    for thread in range(int(background), max(1, session_options.intra_op_num_threads) if on_cpu else 1):
        idle.put(thread)
    return Session(session, idle, None if on_cpu else _place(options), background)


def _only_in_pool(options: EngineOptions) -> bool:
    """Whether no thread of a caller computes, as its priority could not be raised again."""
    return options.background and options.session_options is None


def _pooling(opened: str | bytes, graph: Path, pooled: Pooled, session_options: ort.SessionOptions) -> str | bytes:
    """What to open for a graph that pools; ``opened`` itself where it has no token embeddings."""
    from .pooled_graph import with_pooling

    with mapped(graph) as data:
        changed = with_pooling(opened if isinstance(opened, bytes) else data, pooled)
    if changed is None:
        return opened
    if isinstance(opened, str):
        session_options.add_session_config_entry(_WEIGHTS_FOLDER, str(graph.absolute().parent))
    return changed


def _place(options: EngineOptions) -> tuple[str, int] | None:
    """The memory of the device that the session runs on."""
    (provider, settings), *_ = providers(options)
    memory = {CUDA: "cuda", "TensorrtExecutionProvider": "cuda", "DmlExecutionProvider": "dml"}.get(provider)
    return None if memory is None else (memory, int(settings.get("device_id", 0)))


def state_of(graph: Path) -> object:
    """Something else after ``graph`` or a file of its weights was replaced; None where one is missing."""
    try:
        found = [path.stat() for path in (graph, *external_files(graph))]
    except (OSError, EdgeSTError):
        return None
    return [(each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns) for each in found]


def open_for_long(graph: Path, options: EngineOptions, ordinary: PerProcess[Session], state: object) -> Session:
    """A session for long texts, which shares the threads' turns with the ``ordinary`` one.

    That one itself where the files no longer have the ``state`` that it found, where the graph has no attention that
    blocks can give, is in float16 or does not run on the CPU, and with the caller's session options.
    """
    session = ordinary.get()
    on_cpu = session.session.get_providers()[0] == CPU
    if (
        options.pooled is not None
        or options.session_options is not None
        or options.dtype == "float16"
        or not on_cpu
        or state_of(graph) != state
    ):
        return session
    session_options = _session_options(options, _SHORT_SPIN_MICROSECONDS)
    with mapped(graph) as data:
        changed = in_blocks(_linked(graph, session_options) if options.linked else data)
    if changed is None:
        return session
    if not options.linked:
        session_options.add_session_config_entry(_WEIGHTS_FOLDER, str(graph.parent))
    session_options.add_session_config_entry("session.disable_prepacking", "1")  # no second copy of the weights
    return Session(_start(changed, graph, options, session_options), session.idle, background=session.background)


def _linked(graph: Path, session_options: ort.SessionOptions) -> bytes:
    """The graph, whose weights the session finds behind links."""
    root = Path(graph.resolve().anchor).as_posix()
    session_options.add_session_config_entry(_WEIGHTS_FOLDER, root)
    return with_links_followed(graph, root)


def _start(
    opened: str | bytes, graph: Path, options: EngineOptions, session_options: ort.SessionOptions
) -> ort.InferenceSession:
    """Start a session of ``opened``, which is ``graph`` or made from it."""
    chain = providers(options)
    provider, _ = chain[0]
    if provider != CPU and find_spec("nvidia") is not None:
        _load_libraries()
    try:
        session = ort.InferenceSession(
            opened, session_options, providers=chain, disabled_optimizers=SLOW_ON_CPU if provider == CPU else ()
        )
    except Exception as error:  # onnxruntime's errors share no base
        if not graph.is_file():
            raise MissingFileError(f"{graph} is missing; export the model again or download it") from error
        raise _lacking(error, graph, provider) or DamagedFileError(
            f"ONNX Runtime cannot load {graph} ({graph.stat().st_size} bytes): {error}. "
            "Download it again, or export it again with: edge-st export"
        ) from error
    if session.get_providers()[0] != provider:
        raise ProviderError(
            f"{provider} was requested, but the session got {', '.join(session.get_providers())}: its device or its "
            f"libraries are missing; {_libraries(provider)}see what is here with: edge-st doctor"
        )
    session.disable_fallback()
    return session


def _libraries(provider: str) -> str:
    return f"bring CUDA and cuDNN with: {_LIBRARIES}; " if provider == CUDA else ""


def _load_libraries() -> None:
    """Load CUDA and cuDNN from Python packages; onnxruntime prints what it does not find, and does without."""
    load: Callable[[], None] | None = getattr(ort, "preload_dlls", None)
    if load is not None:
        with redirect_stdout(StringIO()):
            load()


def _lacking(error: Exception, graph: Path, provider: str) -> EdgeSTError | None:
    """What this machine lacks to load ``graph``; None where that is not why."""
    doing = f"ONNX Runtime cannot load {graph}"
    if any(words in str(error) for words in _NO_KERNEL):
        return EngineError(
            f"{doing} on {provider}, which lacks an operator of it ({error}); bfloat16 graphs run on device='cuda' "
            "only: pass dtype='float32', or update onnxruntime"
        )
    if "procfs" in str(error):
        return EngineError(
            f"{doing} where /proc is missing ({error}); mount it: mount -t proc proc /proc, or try backend='openvino'"
        )
    return shortage(error, doing)


def _session_options(options: EngineOptions, spin: int = _SPIN_MICROSECONDS) -> ort.SessionOptions:
    found = ort.SessionOptions()
    found.intra_op_num_threads = options.num_threads + options.background  # the caller's own is one of them
    found.inter_op_num_threads = 1
    found.enable_mem_pattern = False  # it would keep a block of memory for every shape of batch
    found.log_severity_level = 4  # what fails is an error here, whose message cannot steer a terminal
    found.add_session_config_entry("session.dynamic_block_base", "4")  # all threads of a run finish together
    found.add_session_config_entry("session.intra_op.allow_spinning", "0" if options.background else "1")
    found.add_session_config_entry("session.intra_op.spin_duration_us", str(spin))
    return found


def offers(provider: str) -> bool:
    """Whether this onnxruntime has ``provider``; its device may still be missing."""
    return provider in ort.get_available_providers()


def providers(options: EngineOptions) -> list[tuple[str, dict[str, Any]]]:
    """The providers to open, each with its settings: the one that is asked for, those that help it, the CPU.

    Raises OptionError for an unknown device, ProviderError for a provider that this onnxruntime does not have.
    """
    name, index = split_device(options.device or "cpu")
    provider = _named(options.provider) if options.provider is not None else _of_device(name, options.device)
    if not offers(provider.name):
        raise ProviderError(
            f"execution provider {provider.name} is not in this onnxruntime, which has "
            f"{', '.join(ort.get_available_providers())}; try: {provider.brought_by}"
        )
    if index and not (provider.numbered and index.isdecimal()):
        raise OptionError(f"device is {options.device!r}; expected a name of {provider.name} without a number after it")
    number = {"device_id": index} if index else {}
    exact = {"use_tf32": "0"} if provider.name == CUDA and options.dtype == "float32" else {}
    chain = [(provider.name, {**number, **exact, **options.provider_options})]
    chain += [(helper, dict(number)) for helper in provider.helpers if offers(helper)]
    return chain if provider.name == CPU else [*chain, (CPU, {})]


def _named(name: str) -> Provider:
    known = (provider for provider in PROVIDERS if provider.name == name)
    return next(known, Provider(name, (), "edge-st doctor"))


def _of_device(name: str, device: str | None) -> Provider:
    """The provider for a device; of several the first that is here."""
    fitting = [provider for provider in PROVIDERS if name in provider.devices]
    if not fitting:
        raise OptionError(f"device is {device!r}; ONNX Runtime takes {', '.join(ONNX_DEVICES)} or provider=…")
    return next((provider for provider in fitting if offers(provider.name)), fitting[0])
