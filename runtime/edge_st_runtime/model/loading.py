"""Open a model folder: its tokenizers, its graphs in an engine, and the modules after them."""

import logging
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path, PurePosixPath

from ..engines.backend import Backend, EngineOptions, open_backend
from ..errors import EXPORT, DamagedFileError, EdgeSTError, EngineError, EngineMissingError, OptionError, ProviderError
from ..files.reading import reading
from ..files.regular import file_error, is_there
from ..machine.parallel import Workers
from ..machine.threads import VARIABLE, thread_count
from ..modules.sparse import open_sparse_static
from ..modules.specs import Module, Pooling
from ..modules.static import open_static
from ..modules.token_mask import MultiVectorMask
from ..text.tokens import Tokenizer
from .choosing import Candidates, LoadOptions, UnfitError, choices_for, without_failed
from .classes import result_of
from .consistency import check_vocabulary, check_widths, check_word_weights, remaining_modules
from .folder import ModelFolder, read_folder
from .graph_files import leads_out, readable_weights
from .heads import HEADS_FILE
from .pipeline import Pipeline
from .quantized import depends_on_batch
from .record import Record
from .route import BAG, SPARSE_STATIC, STATIC, Route, pooled_by
from .selftest import RouteUnderTest, self_test
from .tasks import Task, read_tasks
from .tokenizers import open_tokenizer
from .variants import Choice

_logger = logging.getLogger(__name__)
#: the files that loading reads, beside those of the chosen graphs
_READ = (
    "modules.json", HEADS_FILE, "*config.json", "config_*.json", "tokenizer.json", "chat_template.jinja", "idf.json",
    "model.safetensors",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class LoadedRoute:
    """A route of the model, ready to run. ``limit`` is the max_seq_length in its folder, None where it has none.

    ``tasks`` are those that have a limit of their own, or an expansion.
    """

    pipeline: Pipeline
    choice: Choice
    limit: int | None
    tasks: Mapping[str, Task] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model folder, and its routes by name."""

    folder: ModelFolder
    routes: Mapping[str, LoadedRoute]


def load_model(path: Path, options: LoadOptions, model_type: str | None = None) -> LoadedModel:
    """Open the folder at ``path``, of a model of the class ``model_type`` (None: the one that the folder names).

    If the folder has an edge_st.json, the checksums of the files are checked while they load. If the options leave the
    choice of the variant to the runtime, and the chosen one fails its self-test or its engine cannot open it, the next
    variant is loaded and a warning is logged. Raises FolderError, EngineError and OptionError, each naming the file or
    option.
    """
    try:
        return _load_model(path, options, model_type)
    except (OSError, MemoryError) as error:
        if isinstance(error, EdgeSTError):
            raise
        raise file_error(path, error, "export or download the model again") from error


def _load_model(path: Path, options: LoadOptions, model_type: str | None) -> LoadedModel:
    folder = read_folder(path, model_type, options.pooling)
    candidates: Candidates = {name: choices_for(route, folder.record, options) for name, route in folder.routes.items()}
    for choice in dict.fromkeys(choices[0] for choices in candidates.values() if choices[0].warns):
        _logger.warning("%s: %s: %s", folder.path, choice, choice.reason)
    while True:
        choices = {name: each[0] for name, each in candidates.items()}
        try:
            loaded = _load_checked(folder, choices, options)
        except UnfitError as error:
            candidates = without_failed(candidates, error)
            reason = next(each[0].reason for each in candidates.values() if each[0].warns)
            _logger.warning("%s: %s", folder.path, reason)
        else:
            _check_pooling(loaded, options)
            return loaded


def _check_pooling(model: LoadedModel, options: LoadOptions) -> None:
    """Warn of a pooling that nobody named; raises OptionError for a named one that the graph does not leave to do."""
    pools = [
        module for route in model.routes.values() for module in route.pipeline.modules if isinstance(module, Pooling)
    ]
    if options.pooling is not None and not pools:
        raise OptionError(
            f"pooling is {options.pooling!r}, but the graph in {model.folder.path} pools by itself; leave pooling out"
        )
    if model.folder.plain and options.pooling is None and pools:
        _logger.warning(
            "%s has no modules.json, which says how the model pools; %r is assumed, as in sentence-transformers. "
            "Many models pool otherwise (BGE: pooling='cls'): name it, as pooling=%r",
            model.folder.path,
            *2 * pools[0].modes,
        )


def _load_checked(folder: ModelFolder, choices: Mapping[str, Choice], options: LoadOptions) -> LoadedModel:
    record = folder.record
    if record is None:
        return _load(folder, choices, options)
    edited = [name for name in folder.settings_files if _is_edited(record, name)]
    with Workers(1) as thread:
        checked = thread.submit(record.check_files, _used_files(folder, record, choices, edited))
        try:
            loaded = _load(folder, choices, options)
        except EdgeSTError:
            checked.result()  # a wrong checksum is the better explanation of the failure
            raise
        checked.result()
    if edited:
        _logger.warning(
            "%s: edited since the export. The settings of now are taken, and the fingerprint follows them. The golden "
            "vectors of %s no longer speak for this folder, and the self-test is left out",
            " and ".join(str(folder.path / name) for name in edited),
            record.path.name,
        )
    elif options.file_name is None:
        _test(loaded, options)
    return loaded


def _is_edited(record: Record, name: str) -> bool:
    """Whether the file of settings is another one than the exported one; raises MissingFileError where it is gone."""
    if name not in record.files:
        return is_there(record.path.parent / name)
    try:
        record.check_file(name)
    except DamagedFileError:
        return True
    return False


def _test(model: LoadedModel, options: LoadOptions) -> None:
    """Raise UnfitError for a variant that fails its self-test."""
    for choice in dict.fromkeys(route.choice for route in model.routes.values()):
        tested = {
            name: RouteUnderTest(route.pipeline, route.limit, model.folder.routes[name].prefix + choice.file)
            for name, route in model.routes.items()
            if route.choice == choice
        }
        try:
            self_test(model.folder, choice, options.device or options.provider or "cpu", tested)
        except EngineError as error:
            raise UnfitError(choice, error) from error


def _load(folder: ModelFolder, choices: Mapping[str, Choice], options: LoadOptions) -> LoadedModel:
    heads: dict[Path, tuple[Tokenizer, int | None, Backend]] = {}
    routes = {}
    for name, route in folder.routes.items():
        if route.path not in heads:
            heads[route.path] = _open_head(folder, route, choices[name], options)
        tokenizer, limit, backend = heads[route.path]
        modules = _resolved(remaining_modules(route, backend, choices[name]), tokenizer)
        check_word_weights(route, tokenizer.size)
        width = check_widths(modules, {backend.meaning: backend.width}, result_of(folder.model_type))
        pipeline = Pipeline(tokenizer, backend, modules, width, _one_by_one(route, choices[name]), options.background)
        tasks = read_tasks(route, tokenizer)
        _check_filling(route, tasks, modules)
        routes[name] = LoadedRoute(pipeline, choices[name], limit, tasks)
    return LoadedModel(folder, routes)


def _check_filling(route: Route, tasks: Mapping[str, Task], modules: tuple[Module, ...]) -> None:
    """Warn of queries that are filled up for nothing."""
    filled = any(task.expansion is not None for task in tasks.values())
    if filled and not any(isinstance(module, MultiVectorMask) for module in modules):
        _logger.warning(
            "%s has a query_expansion, but modules.json names no MultiVectorMask, without which the filling is not "
            "scored; add one after the transformer",
            route.path / route.transformer_file.removeprefix(route.prefix),
        )


def _resolved(modules: tuple[Module, ...], tokenizer: Tokenizer) -> tuple[Module, ...]:
    """``modules``, of which those that name tokens have their ids."""
    return tuple(
        module.resolved(tokenizer.tokenizer.token_to_id) if isinstance(module, MultiVectorMask) else module
        for module in modules
    )


def _one_by_one(route: Route, choice: Choice) -> bool:
    """Whether a text may not share a batch with others; a warning says so."""
    graph = route.path / choice.file
    if found := depends_on_batch(graph, choice):
        _logger.warning(
            "%s quantizes all texts of a batch by one scale; each runs in a batch of its own, so that its vector does "
            "not depend on the others. Make a graph that need not %s --dtype int8",
            graph,
            EXPORT,
        )
    return found


def _open_head(
    folder: ModelFolder, route: Route, choice: Choice, options: LoadOptions
) -> tuple[Tokenizer, int | None, Backend]:
    tokenizer, limit = open_tokenizer(route)
    if route.needs_graph:
        return tokenizer, limit, _open_graph(folder, route, choice, options)
    if route.kind == STATIC:
        table = open_static(route.path)
        check_vocabulary(route.path, tokenizer.size, len(table.factors))
        return tokenizer, limit, table
    if route.kind == SPARSE_STATIC:
        sparse = open_sparse_static(route.path, tokenizer.tokenizer.token_to_id)
        check_vocabulary(route.path, tokenizer.size, len(sparse.weights))
        return tokenizer, limit, sparse
    from ..modules.word_vectors import open_bag, open_words

    if route.kind == BAG:
        with reading(route.path / "config.json"):
            return tokenizer, limit, open_bag(route.path)
    words = open_words(route.path)
    check_vocabulary(route.path, tokenizer.size, len(words.rows))
    return tokenizer, limit, words


def _open_graph(folder: ModelFolder, route: Route, choice: Choice, options: LoadOptions) -> Backend:
    tuned_threads = None if os.environ.get(VARIABLE) else choice.num_threads
    asked = tuned_threads if options.num_threads is None else options.num_threads
    graph = route.path / choice.file
    try:
        engine_options = EngineOptions(
            num_threads=thread_count(asked, background=options.background),
            dtype=choice.dtype,
            device=options.device,
            provider=options.provider,
            provider_options=options.provider_options,
            session_options=options.session_options,
            scores=route.gives_scores,
            token_budget=options.token_budget or choice.token_budget,
            rows=route.rows,
            linked=leads_out(graph, readable_weights(graph)),
            pooled=None if options.on_cpu else pooled_by(route),
            background=options.background,
            outputs=route.head_outputs,
        )
        return open_backend(choice.engine, graph, engine_options)
    except (EngineMissingError, ProviderError):
        raise
    except (DamagedFileError, EngineError) as error:
        if folder.record is None or f"{route.prefix}{choice.file}" not in folder.record.files:
            raise  # without a checksum the file itself may be damaged: another variant would hide that
        raise UnfitError(choice, error) from error


def _used_files(
    folder: ModelFolder, record: Record, choices: Mapping[str, Choice], edited: Collection[str]
) -> Iterator[str]:
    """The recorded files that loading reads: configuration, tokenizer, weights of modules, and the chosen graphs.

    Those that were ``edited`` are left out. A graph comes first, so that it is known to be whole before it is asked
    which files hold its weights.
    """
    prefixes = {route.prefix for route in folder.routes.values()}
    parents = {PurePosixPath(entry.file).parent.as_posix() for entry in record.graphs} - {"."}
    graph_folders = {f"{prefix}{parent}" for prefix in prefixes for parent in parents}
    graphs = [f"{route.prefix}{choices[name].file}" for name, route in folder.routes.items()]
    record.check_lists(chain.from_iterable(folder.steps.values()), graphs)
    yield from (graph for graph in graphs if graph in record.files)
    chosen = {name for graph in graphs if graph in record.files for name in record.graph_files(graph)}
    for name in (each for each in record.files if each not in edited):
        parent, _, file = name.rpartition("/")
        if name in chosen or (parent not in graph_folders and any(fnmatchcase(file, pattern) for pattern in _READ)):
            yield name
