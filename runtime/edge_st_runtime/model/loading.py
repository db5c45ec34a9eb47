"""Open a model folder: the tokenizer, the engine and the modules that remain after the graph."""

import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from ..engines.backend import Backend, EngineOptions, open_backend
from ..engines.signature import SCORES, SENTENCE_EMBEDDING
from ..errors import DamagedFileError, EdgeSTError, EngineError, EngineMissingError, ProviderError
from ..files.reading import reading
from ..machine.threads import VARIABLE, thread_count
from ..modules.sparse import open_sparse_static
from ..modules.static import open_static
from ..text.tokenizer import TextTokenizer
from ..text.tokens import Tokenizer
from .choosing import LoadOptions, Tiers, UnfitError, choices_for, fallen_back
from .consistency import check_vocabulary, check_widths, check_word_weights, remaining_modules
from .folder import ModelFolder, read_folder
from .graphs import Choice
from .model_types import CROSS_ENCODER
from .pipeline import Pipeline
from .record import Record
from .route import BAG, SPARSE_STATIC, STATIC, WORDS, Road
from .selftest import RoadUnderTest, self_test

_logger = logging.getLogger(__name__)
_READ = (
    "modules.json",
    "*config.json",
    "config_*.json",
    "tokenizer.json",
    "chat_template.jinja",
    "idf.json",
    "model.safetensors",
)


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

    Where the choice of the variant is left to the runtime, one that fails its self-test or that its engine cannot open
    gives way to the next, with a logged warning. Raises FolderError, EngineError and OptionError, each naming the file
    or option.
    """
    folder = read_folder(path, model_type)
    tiers: Tiers = {name: choices_for(road, folder.record, options) for name, road in folder.roads.items()}
    for choice in dict.fromkeys(choices[0] for choices in tiers.values() if choices[0].warns):
        _logger.warning("%s: %s: %s", folder.path, choice, choice.reason)
    while True:
        choices = {name: each[0] for name, each in tiers.items()}
        try:
            return _load_checked(folder, choices, options)
        except UnfitError as error:
            tiers = fallen_back(tiers, error)
            _logger.warning("%s: %s", folder.path, next(each[0].reason for each in tiers.values() if each[0].warns))


def _load_checked(folder: ModelFolder, choices: Mapping[str, Choice], options: LoadOptions) -> LoadedModel:
    record = folder.record
    if record is None:
        return _load(folder, choices, options)
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(record.check_files, list(_used_files(folder, record, choices)))
        try:
            loaded = _load(folder, choices, options)
        except EdgeSTError:
            checked.result()  # a wrong checksum explains the failure better
            raise
        checked.result()
    if options.file_name is None:
        _test(loaded, options)
    return loaded


def _test(model: LoadedModel, options: LoadOptions) -> None:
    """Raise UnfitError for a variant that fails its self-test."""
    for choice in dict.fromkeys(road.choice for road in model.roads.values()):
        tested = {
            name: RoadUnderTest(road.pipeline, road.limit, model.folder.roads[name].prefix + choice.file)
            for name, road in model.roads.items()
            if road.choice == choice
        }
        try:
            self_test(model.folder, choice, options.device or options.provider or "cpu", tested)
        except EngineError as error:
            raise UnfitError(choice, error) from error


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
        from ..text.chat import ChatTokenizer

        return ChatTokenizer(road.path, road.messages, road.template_arguments)
    special = road.kind not in (STATIC, SPARSE_STATIC)
    return TextTokenizer(road.path, lower_case=road.lower_case, special_tokens=special)


def _load(folder: ModelFolder, choices: Mapping[str, Choice], options: LoadOptions) -> LoadedModel:
    heads: dict[Path, tuple[Tokenizer, int | None, Backend]] = {}
    scores = folder.model_type == CROSS_ENCODER
    roads = {}
    for name, road in folder.roads.items():
        if road.path not in heads:
            heads[road.path] = _open_head(folder, road, choices[name], options)
        tokenizer, limit, backend = heads[road.path]
        modules = remaining_modules(road, backend, choices[name])
        check_word_weights(road, tokenizer.size)
        width = check_widths(modules, {backend.meaning: backend.width}, SCORES if scores else SENTENCE_EMBEDDING)
        vocabulary = road.vocabulary if road.needs_graph else None
        roads[name] = LoadedRoad(Pipeline(tokenizer, backend, modules, vocabulary, width), choices[name], limit)
    return LoadedModel(folder, roads)


def _open_head(
    folder: ModelFolder, road: Road, choice: Choice, options: LoadOptions
) -> tuple[Tokenizer, int | None, Backend]:
    tokenizer, limit = open_tokenizer(road)
    if road.needs_graph:
        return tokenizer, limit, _open_graph(folder, road, choice, options)
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


def _open_graph(folder: ModelFolder, road: Road, choice: Choice, options: LoadOptions) -> Backend:
    tuned_threads = None if os.environ.get(VARIABLE) else choice.num_threads
    engine_options = EngineOptions(
        num_threads=thread_count(tuned_threads if options.num_threads is None else options.num_threads),
        dtype=choice.dtype,
        device=options.device,
        provider=options.provider,
        provider_options=options.provider_options,
        session_options=options.session_options,
        scores=road.gives_scores,
        token_budget=options.token_budget or choice.token_budget,
    )
    try:
        return open_backend(choice.engine, road.path / choice.file, engine_options)
    except (EngineMissingError, ProviderError):
        raise
    except (DamagedFileError, EngineError) as error:
        if folder.record is None or f"{road.prefix}{choice.file}" not in folder.record.files:
            raise  # who can tell whether it is damaged?
        raise UnfitError(choice, error) from error


def _used_files(folder: ModelFolder, record: Record, choices: Mapping[str, Choice]) -> Iterator[str]:
    """The recorded files that loading reads: configuration, tokenizer, small weights, and the chosen graphs' own."""
    prefixes = {road.prefix for road in folder.roads.values()}
    parents = {PurePosixPath(entry.file).parent.as_posix() for entry in record.graphs} - {"."}
    graph_folders = {f"{prefix}{parent}" for prefix in prefixes for parent in parents}
    graphs = [f"{road.prefix}{choices[name].file}" for name, road in folder.roads.items()]
    chosen = {name for graph in graphs for name in record.graph_files(graph)}
    for name in record.files:
        parent, _, file = name.rpartition("/")
        if name in chosen or (parent not in graph_folders and any(fnmatchcase(file, pattern) for pattern in _READ)):
            yield name
