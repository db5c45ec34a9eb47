"""Open a model folder: the tokenizer, the engine and the modules that remain after the graph."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from .backend import Backend, EngineOptions, installed_engines, open_backend
from .cpu import cpu_features, has_bfloat16
from .errors import EdgeSTError, UnsupportedModelError
from .folder import STATIC, ModelFolder, read_folder
from .graphs import Choice, Wish, choose_graph
from .modules import Dropout, Module, Normalize, Pooling
from .pipeline import Pipeline
from .record import Record
from .signature import SENTENCE_EMBEDDING
from .static import open_static
from .threads import thread_count
from .tokenizer import TextTokenizer

_READ = (
    "modules.json", "config.json", "config_sentence_transformers.json", "sentence_*_config.json", "tokenizer.json",
    "tokenizer_config.json", "model.safetensors",
)  # fmt: skip


@dataclass(frozen=True)
class LoadOptions:
    """How to open a model; the defaults choose for this machine."""

    backend: str = "auto"
    dtype: str = "auto"
    device: str | None = None
    provider: str | None = None
    provider_options: Mapping[str, Any] = field(default_factory=dict)
    session_options: Any = None
    file_name: str | None = None
    num_threads: int | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether the model is to run on the CPU."""
        return (self.device or "cpu").lower() == "cpu" and self.provider in (None, "CPUExecutionProvider")


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model folder with its pipeline. ``limit`` is its own max_seq_length, None where it has none."""

    folder: ModelFolder
    pipeline: Pipeline
    choice: Choice
    limit: int | None


def load_model(path: Path, options: LoadOptions) -> LoadedModel:
    """Open the model folder at ``path``; with a record its files are checked against it while the engine loads.

    Raises FolderError, EngineError and OptionError, each naming the file or option.
    """
    folder = read_folder(path)
    static = folder.first == STATIC
    choice = Choice("numpy", "model.safetensors", "float32") if static else _choose(folder, options)
    if folder.record is None:
        return _load(folder, choice, options)
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(folder.record.check_files, _used_files(folder.record, choice))
        try:
            loaded = _load(folder, choice, options)
        except EdgeSTError:
            checked.result()  # a wrong checksum explains the failure better
            raise
        checked.result()
    return loaded


def _load(folder: ModelFolder, choice: Choice, options: LoadOptions) -> LoadedModel:
    static = folder.first == STATIC
    tokenizer = TextTokenizer(folder.first_path, lower_case=folder.lower_case, special_tokens=not static)
    limit = tokenizer.own_limit if static else folder.max_seq_length(tokenizer.model_max_length)
    backend: Backend = open_static(folder.first_path) if static else _open(folder, choice, options)
    pipeline = Pipeline(tokenizer, backend, _remaining(folder, backend, choice))
    return LoadedModel(folder, pipeline, choice, limit)


def _choose(folder: ModelFolder, options: LoadOptions) -> Choice:
    wish = Wish(
        backend=options.backend,
        dtype=options.dtype,
        file_name=options.file_name,
        on_cpu=options.on_cpu,
        engines=installed_engines(),
        features=cpu_features(),
        bfloat16=has_bfloat16(),
    )
    return choose_graph(folder.graph_names(), folder.record, wish)


def _open(folder: ModelFolder, choice: Choice, options: LoadOptions) -> Backend:
    engine_options = EngineOptions(
        num_threads=thread_count(options.num_threads),
        dtype=choice.dtype,
        device=options.device,
        provider=options.provider,
        provider_options=options.provider_options,
        session_options=options.session_options,
    )
    return open_backend(choice.engine, folder.first_path / choice.file, engine_options)


def _remaining(folder: ModelFolder, backend: Backend, choice: Choice) -> tuple[Module, ...]:
    """The modules still to apply: all, or for a graph that pools by itself those that cannot be in it twice."""
    if folder.first == STATIC or backend.meaning != SENTENCE_EMBEDDING:
        return folder.modules
    rest = tuple(module for module in folder.modules if not isinstance(module, Pooling | Normalize | Dropout))
    if rest and backend.output != SENTENCE_EMBEDDING:
        raise UnsupportedModelError(
            f"{folder.path / choice.file} gives {backend.output!r}, an embedding that is pooled already, and it cannot "
            f"be told whether {type(rest[0]).__name__} is in it too; export the model again with: edge-st export"
        )
    return tuple(module for module in folder.modules if isinstance(module, Normalize))


def _used_files(record: Record, choice: Choice) -> list[str]:
    """The recorded files that loading reads: configuration, tokenizer, small weights, and the chosen graph's own."""
    stem = PurePosixPath(choice.file).with_suffix("").as_posix()
    graphs = {PurePosixPath(entry.file).parent.as_posix() for entry in record.graphs} - {"."}
    return [
        name
        for name in record.files
        if name.startswith(f"{stem}.")
        or (name.partition("/")[0] not in graphs and any(fnmatchcase(name.rpartition("/")[2], read) for read in _READ))
    ]
