"""Open a model folder: the tokenizer, the engine and the modules that remain after the graph."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from .agreement import check_vocabulary, check_widths, check_word_weights, remaining_modules
from .backend import Backend, EngineOptions, installed_engines, open_backend
from .cpu import cpu_features, has_bfloat16
from .errors import EdgeSTError
from .files import reading
from .folder import ModelFolder, read_folder
from .graphs import Choice, Wish, choose_graph
from .model_types import CROSS_ENCODER
from .pipeline import Pipeline
from .record import Record
from .road import BAG, SPARSE_STATIC, STATIC, WORDS, Road
from .signature import SCORES, SENTENCE_EMBEDDING
from .sparse_modules import open_sparse_static, sparse_static_file
from .static import open_static
from .threads import thread_count
from .tokenizer import TextTokenizer
from .tokens import Tokenizer

_READ = (
    "modules.json",
    "*config.json",
    "config_*.json",
    "tokenizer.json",
    "chat_template.jinja",
    "idf.json",
    "model.safetensors",
)


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
class LoadedRoad:
    """A road of the model, ready to run. ``limit`` is its own max_seq_length, None where it has none."""

    pipeline: Pipeline
    choice: Choice
    limit: int | None


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model folder with its roads by name."""

    folder: ModelFolder
    roads: Mapping[str, LoadedRoad]


def load_model(path: Path, options: LoadOptions, model_type: str | None = None) -> LoadedModel:
    """Open the folder at ``path``, of a model of this class; with a record its files are checked while it loads.

    Raises FolderError, EngineError and OptionError, each naming the file or option.
    """
    folder = read_folder(path, model_type)
    choices = {name: _choose(road, folder.record, options) for name, road in folder.roads.items()}
    if folder.record is None:
        return _load(folder, choices, options)
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(folder.record.check_files, list(_used_files(folder, folder.record, choices)))
        try:
            loaded = _load(folder, choices, options)
        except EdgeSTError:
            checked.result()  # a wrong checksum explains the failure better
            raise
        checked.result()
    return loaded


def open_tokenizer(road: Road) -> tuple[Tokenizer, int | None]:
    """The tokenizer of a road, and its limit in tokens.

    Raises MissingFileError, DamagedFileError where it knows more tokens than the transformer, and OptionError for a
    limit without room for a text.
    """
    if road.kind in (WORDS, BAG):
        from .words import read_word_tokenizer

        with reading(road.path):
            return read_word_tokenizer(road.kind, road.path), None
    with reading(road.path / "tokenizer_config.json"):
        tokenizer = _read_tokenizer(road)
    if road.kind != STATIC:
        check_vocabulary(road.path, tokenizer.size, road.vocabulary, tokenizer.added)
    limit = tokenizer.own_limit if road.kind == STATIC else road.max_seq_length(tokenizer.model_max_length)
    tokenizer.check_limit(limit)
    return tokenizer, limit


def _read_tokenizer(road: Road) -> Any:
    if road.messages is not None:
        from .chat import ChatTokenizer

        return ChatTokenizer(road.path, road.messages, road.template_arguments)
    special = road.kind not in (STATIC, SPARSE_STATIC)
    return TextTokenizer(road.path, lower_case=road.lower_case, special_tokens=special)


def _load(folder: ModelFolder, choices: Mapping[str, Choice], options: LoadOptions) -> LoadedModel:
    heads: dict[Path, tuple[Tokenizer, int | None, Backend]] = {}
    scores = folder.model_type == CROSS_ENCODER
    roads = {}
    for name, road in folder.roads.items():
        if road.path not in heads:
            heads[road.path] = _open_head(road, choices[name], options)
        tokenizer, limit, backend = heads[road.path]
        modules = remaining_modules(road, backend, choices[name])
        check_word_weights(road, tokenizer.size)
        width = check_widths(modules, {backend.meaning: backend.width}, SCORES if scores else SENTENCE_EMBEDDING)
        vocabulary = road.vocabulary if road.needs_graph else None
        roads[name] = LoadedRoad(Pipeline(tokenizer, backend, modules, vocabulary, width), choices[name], limit)
    return LoadedModel(folder, roads)


def _choose(road: Road, record: Record | None, options: LoadOptions) -> Choice:
    if not road.needs_graph:
        files = {BAG: "config.json", SPARSE_STATIC: sparse_static_file(road.config)}
        return Choice("numpy", files.get(road.kind, "model.safetensors"), "float32")
    wish = Wish(
        backend=options.backend,
        dtype=options.dtype,
        file_name=options.file_name,
        on_cpu=options.on_cpu,
        engines=installed_engines(),
        features=cpu_features(),
        bfloat16=has_bfloat16(),
    )
    return choose_graph(road.graph_names(), record, wish)


def _open_head(road: Road, choice: Choice, options: LoadOptions) -> tuple[Tokenizer, int | None, Backend]:
    tokenizer, limit = open_tokenizer(road)
    if road.needs_graph:
        return tokenizer, limit, _open_graph(road, choice, options)
    if road.kind == STATIC:
        table = open_static(road.path)
        check_vocabulary(road.path, tokenizer.size, len(table.rows))
        return tokenizer, limit, table
    if road.kind == SPARSE_STATIC:
        sparse = open_sparse_static(road.path, tokenizer.tokenizer.token_to_id)
        check_vocabulary(road.path, tokenizer.size, len(sparse.weights))
        return tokenizer, limit, sparse
    from .words import open_bag, open_words

    if road.kind == BAG:
        with reading(road.path / "config.json"):
            return tokenizer, limit, open_bag(road.path)
    words = open_words(road.path)
    check_vocabulary(road.path, tokenizer.size, len(words.rows))
    return tokenizer, limit, words


def _open_graph(road: Road, choice: Choice, options: LoadOptions) -> Backend:
    engine_options = EngineOptions(
        num_threads=thread_count(options.num_threads),
        dtype=choice.dtype,
        device=options.device,
        provider=options.provider,
        provider_options=options.provider_options,
        session_options=options.session_options,
        scores=road.gives_scores,
    )
    return open_backend(choice.engine, road.path / choice.file, engine_options)


def _used_files(folder: ModelFolder, record: Record, choices: Mapping[str, Choice]) -> Iterator[str]:
    """The recorded files that loading reads: configuration, tokenizer, small weights, and the chosen graphs' own."""
    prefixes = {road.prefix for road in folder.roads.values()}
    parents = {PurePosixPath(entry.file).parent.as_posix() for entry in record.graphs} - {"."}
    graph_folders = {f"{prefix}{parent}" for prefix in prefixes for parent in parents}
    chosen = tuple(
        f"{road.prefix}{PurePosixPath(choices[name].file).with_suffix('').as_posix()}."
        for name, road in folder.roads.items()
    )
    for name in record.files:
        parent, _, file = name.rpartition("/")
        if name.startswith(chosen) or (
            parent not in graph_folders and any(fnmatchcase(file, pattern) for pattern in _READ)
        ):
            yield name
