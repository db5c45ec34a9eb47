"""OpenVINO as a backend."""

import os
import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ids, TokenBatch
from ..errors import DamagedFileError, EngineError, MissingFileError, OptionError, ProviderError
from ..files.onnx_graphs import external_files
from ..files.shortage import shortage
from ..machine.process import PerProcess
from ..machine.threads import available_cores
from .backend import EngineOptions, PoolsOutside, no_fork
from .devices import openvino_device
from .gated_layers import ends_the_process
from .quiet_openvino import openvino
from .signature import ACTIVE_INDICES, ACTIVE_VALUES, Port, Signature, resolve_signature

_TOKEN_BUDGET = 768
_LARGE = 128 * 2**20  # bytes of weights; a second copy of larger ones is not worth its memory
_PRECISIONS = {"float32": "f32", "int8": "f32", "int4": "f32", "bfloat16": "bf16", "float16": "f16"}


@dataclass(frozen=True)
class _Compiled:
    """A compiled model and its idle infer requests; a request is for one thread at a time."""

    model: Any
    idle: "queue.SimpleQueue[Any]"


class OpenVinoBackend(PoolsOutside):
    """A graph in OpenVINO, compiled in two forms.

    The first form has one stream with all threads, for a batch that runs alone. The second has one stream for each
    thread, for several batches at the same time. It is compiled when it is first needed, and has its own copy of the
    weights of matrix multiplications. A large graph has only one form, with a stream for every two threads; so has one
    that `ends_the_process` on one. A graph whose caller sets NUM_STREAMS or PERFORMANCE_HINT has only the form that the
    caller sets.
    """

    padding_step = 8  # OpenVINO prepares kernels for every new shape of batch
    least_tokens = 64  # two smaller batches in parallel take longer than one with both, on all threads

    def __init__(self, graph: Path, options: EngineOptions) -> None:
        self._options = options
        self.token_budget = options.token_budget or _TOKEN_BUDGET
        model = _read(graph, options)
        signature = _signature(graph, model, options)  # a compiled model has other names
        _keep_outputs(model, signature.used)
        in_pairs = _device(options) == "CPU" and ends_the_process(model, options.dtype)
        streams = _forms(graph, options, in_pairs=in_pairs)
        self.concurrency = streams[-1]
        forms = [PerProcess(partial(_compile, model, graph, options, count)) for count in streams]
        self._for_one, self._for_many = forms[0], forms[-1]
        self._for_one.get()
        self._signature = replace(signature, rows=_rows(model, options.rows))
        self.meaning, self.output = self._signature.meaning, self._signature.output
        self.width, self.prunes = self._signature.width, self._signature.prunes

    def run(self, batch: TokenBatch) -> Floats:
        """Run the graph; raises EngineError."""
        (output,) = self._run([self._signature.output], batch)
        return output.astype(np.float32, copy=False)

    def run_pruned(self, batch: TokenBatch, max_active_dims: int) -> tuple[Ids, Floats]:
        """Run a graph that prunes; raises EngineError."""
        indices, values = self._run([ACTIVE_INDICES, ACTIVE_VALUES], batch, max_active_dims)
        return indices, values.astype(np.float32, copy=False)

    def run_outputs(self, batch: TokenBatch, names: Sequence[str]) -> list[Floats]:
        """Run a graph with several heads; raises EngineError."""
        return [output.astype(np.float32, copy=False) for output in self._run(list(names), batch)]

    def _run(self, outputs: list[str], batch: TokenBatch, max_active_dims: int = 1) -> list[NDArray[Any]]:
        form = self._form_for(batch)
        compiled, feeds = form.get(), self._signature.feeds(batch, max_active_dims)
        request = compiled.idle.get()
        try:
            with no_fork:
                found = request.infer(feeds, share_inputs=True, share_outputs=True)
            return [_taken(found[output], batch) for output in outputs]
        except (RuntimeError, MemoryError) as error:
            form.renew(compiled)  # what failed once, for lack of memory most often, may give wrong numbers ever after
            doing = f"OpenVINO failed on a batch of shape {batch.shape}"
            raise shortage(error, doing) or EngineError(f"{doing}: {_reason(error)}") from error
        finally:
            compiled.idle.put(request)

    def _form_for(self, batch: TokenBatch) -> "PerProcess[_Compiled]":
        """An urgent batch shares the cores with those that take all streams."""
        if batch.alone or (batch.urgent and self._for_many.get().idle.empty()):
            return self._for_one
        return self._for_many

    def info(self) -> dict[str, Any]:
        """The engine, its version, the devices that really execute the graph, and its threads."""
        return {
            "engine": "openvino",
            "engine_version": VERSION,
            "providers": list(self._for_one.get().model.get_property("EXECUTION_DEVICES")),
            "threads": self._options.num_threads,
        }


def _taken(output: NDArray[Any], batch: TokenBatch) -> NDArray[Any]:
    """A copy of an infer request's own ``output``, which is marked as taken; raises RuntimeError where it was before.

    Where memory is short, OpenVINO may return without an error and without a result: the output is that of an earlier
    call.
    """
    if len(output) != len(batch.input_ids):
        raise RuntimeError(f"it gave an output of shape {output.shape}; memory may be short")
    limits = np.iinfo(output.dtype) if output.dtype.kind in "iu" else np.finfo(output.dtype)
    mark, found = np.nextafter(limits.min, 0) if output.dtype.kind == "f" else limits.min, np.array(output)
    if (found[..., 0] == mark).any():
        raise RuntimeError("it gave no output; memory may be short")
    output[..., 0] = mark
    return found


open_graph = OpenVinoBackend
VERSION = str(openvino.__version__)


def _forms(graph: Path, options: EngineOptions, *, in_pairs: bool) -> list[int]:
    """The number of streams of each form; raises EngineError where a stream needs two threads and has one."""
    threads = options.num_threads
    if in_pairs:
        asked, threads = str(options.provider_options.get("NUM_STREAMS", 1)), min(threads, available_cores())
        if threads < 2 * (int(asked) if asked.isdecimal() else 1):
            raise EngineError(
                f"{graph} has gated layers, which OpenVINO cannot compute in bfloat16 on this CPU by one thread a "
                f"stream; found cores for {threads} threads, and NUM_STREAMS {asked}: pass num_threads=2, or "
                "dtype='float32'"
            )
    if {"NUM_STREAMS", "PERFORMANCE_HINT"} & options.provider_options.keys() or _device(options) != "CPU":
        return [threads]
    weights = graph.with_suffix(".bin")
    if in_pairs or (weights.is_file() and weights.stat().st_size > _LARGE):
        return [max(1, threads // 2)]
    return sorted({1, threads})


def _device(options: EngineOptions) -> str:
    return openvino_device(options.device)


def _read(graph: Path, options: EngineOptions) -> Any:
    """The graph before it is compiled, with its weights mapped, so that later changes of the files do not affect it."""
    device, core = _device(options), openvino.Core()
    if options.provider is not None:
        raise OptionError(f"provider={options.provider!r} names an ONNX Runtime provider; OpenVINO takes device=…")
    if device.partition(".")[0] not in core.available_devices and device not in core.available_devices:
        missing = ProviderError(
            f"OpenVINO device {device!r} is not available; found {', '.join(core.available_devices)}"
        )
        raise shortage(missing, f"OpenVINO cannot open its device {device!r}") or missing
    _check_cache(options.provider_options.get("CACHE_DIR"))
    try:
        core.set_property(device, dict(options.provider_options))
    except (RuntimeError, TypeError, ValueError) as error:
        raise OptionError(
            f"ov_config is {options.provider_options!r}, which OpenVINO does not accept: {_reason(error)}"
        ) from error
    with _without_links(graph) if options.linked else nullcontext(graph) as readable:
        try:
            return core.read_model(readable)
        except RuntimeError as error:
            if not graph.is_file():
                raise MissingFileError(f"{graph} is missing; export the model again or download it") from error
            raise shortage(error, f"OpenVINO cannot load {graph}") or _damaged(graph, error) from error


@contextmanager
def _without_links(graph: Path) -> Iterator[Path]:
    """A copy of the graph whose weights are no links: in a folder beside the real ones, with hard links to them.

    Raises EngineError where that folder cannot be made.
    """
    weights = external_files(graph)
    try:
        with TemporaryDirectory(prefix=".edge-st-", dir=weights[0].resolve().parent) as folder:
            for path in weights:
                name = folder / path.relative_to(graph.parent)
                name.parent.mkdir(parents=True, exist_ok=True)
                os.link(path.resolve(), name)
            yield copyfile(graph, Path(folder, graph.name))
    except OSError as error:
        doing = f"OpenVINO does not follow the links to the weights of {graph}, and they cannot be linked otherwise"
        raise shortage(error, doing) or EngineError(
            f"{doing} ({error}); pass backend='onnx', or make a folder without links: edge-st pull NAME OUT, or cp -rL"
        ) from error


def _compile(model: Any, graph: Path, options: EngineOptions, streams: int) -> _Compiled:
    device = _device(options)
    try:
        with no_fork:
            compiled = openvino.Core().compile_model(model, device, _properties(device, options, streams))
            idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
            for _ in range(streams):
                idle.put(compiled.create_infer_request())
    except RuntimeError as error:
        raise shortage(error, f"OpenVINO cannot load {graph}") or _damaged(graph, error) from error
    return _Compiled(compiled, idle)


def _reason(error: Exception) -> str:
    """OpenVINO's message, without the lines that name places in its source."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(("Exception from", "Check '")))


def _damaged(graph: Path, error: RuntimeError) -> DamagedFileError:
    size = graph.stat().st_size if graph.is_file() else 0
    return DamagedFileError(
        f"OpenVINO cannot load {graph} ({size} bytes): {_reason(error)}. "
        "Download it again (the .bin beside the .xml too), or export it again with: edge-st export"
    )


def _properties(device: str, options: EngineOptions, streams: int) -> dict[str, Any]:
    chosen = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": _PRECISIONS[options.dtype]}
    if device == "CPU":
        chosen |= {
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": str(options.num_threads),
            "CPU_RUNTIME_CACHE_CAPACITY": "256",  # compiled kernels to keep; every shape of batch needs its own
        }
    return {**chosen, **options.provider_options}


def _check_cache(folder: Any) -> None:
    """Create the folder for compiled graphs; raises OptionError where nothing can be written to it."""
    if not folder:
        return
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except (OSError, TypeError) as error:
        raise OptionError(
            f"CACHE_DIR is {folder!r}, where OpenVINO cannot store compiled graphs ({error}); expected a folder that "
            "this process may write to, or leave it out"
        ) from error


def _signature(graph: Path, model: Any, options: EngineOptions) -> Signature:
    ports = _ports(model.inputs), _ports(model.outputs)
    return resolve_signature(graph.name, *ports, scores=options.scores, wanted=options.outputs)


def _keep_outputs(model: Any, names: set[str]) -> None:
    """Remove all other outputs of ``model``, so that they are not computed."""
    for result in model.get_results():
        if not names & result.output(0).get_names() and not names & result.input_value(0).get_names():
            model.remove_result(result)


def _rows(model: Any, stated: Mapping[str, int]) -> dict[str, int]:
    """How many rows there are for each input's ids, in the graph and as ``stated``: it takes zeros for other ids."""
    found = {port.any_name: rows for port in model.inputs for rows in _table(port)}
    return {**stated, **{name: min(rows, stated.get(name, rows)) for name, rows in found.items()}}


def _table(port: Any) -> Iterator[int]:
    for target in port.get_target_inputs():
        node = target.get_node()
        if node.get_type_name() == "Convert":
            yield from _table(node.output(0))
        elif node.get_type_name() == "Gather" and target.get_index() == 1:
            rows = node.input_value(0).get_partial_shape()[0]
            if rows.is_static:
                yield rows.get_length()


def _ports(nodes: Any) -> list[Port]:
    return [_port(node) for node in nodes]


def _port(node: Any) -> Port:
    shape = node.partial_shape
    known = shape.rank.is_static
    return Port(
        node.any_name,
        np.dtype(node.element_type.to_dtype()),
        shape.rank.get_length() if known else None,
        shape[-1].get_length() if known and len(shape) and shape[-1].is_static else None,
    )
