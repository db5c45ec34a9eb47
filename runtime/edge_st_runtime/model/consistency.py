"""Checks that the parts of a model belong together: its graph, its modules, its tokenizer."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..engines.backend import Backend
from ..engines.signature import HIDDEN_STATES, LOGITS, SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS
from ..errors import DamagedFileError, UnsupportedModelError
from ..modules.sparse import SpladePooling
from ..modules.specs import CNN, Dense, Dropout, Module, Normalize, Pooling, Widths, WordWeights
from .route import Route
from .variants import Choice


def remaining_modules(route: Route, backend: Backend, choice: Choice) -> tuple[Module, ...]:
    """The modules of ``route`` that the graph does not compute itself, to be applied after it.

    Raises UnsupportedModelError where the graph's output does not suit the modules, or where it cannot be told which
    modules it computes.
    """
    graph = route.path / choice.file
    inside = route.modules_in_graph
    if inside and backend.output != route.graph_output:
        raise UnsupportedModelError(
            f"{graph} gives {backend.output!r}, the output of the first module alone; in this model the graph must "
            "compute more modules: export it again with: edge-st export"
        )
    summed = [replace(module, in_graph=True) for module in route.modules[:inside] if isinstance(module, WordWeights)]
    modules = (*summed, *route.modules[inside:])
    if backend.meaning == route.graph_output:
        if route.needs_graph and not inside and backend.meaning == TOKEN_EMBEDDINGS:
            _check_head(graph, backend.output, modules)
        if route.needs_graph and not inside and backend.output == TOKEN_EMBEDDINGS:
            _check_not_ambiguous(graph, [module for module in modules if _changes_tokens(module)])
        return modules
    if backend.meaning != SENTENCE_EMBEDDING:
        raise UnsupportedModelError(
            f"{graph} gives {backend.output!r}, but this model's {route.kind} must give {route.graph_output!r}; export "
            "it again with: edge-st export"
        )
    if route.modules_exported:
        return route.modules[route.modules_exported :]
    if backend.output != SENTENCE_EMBEDDING:
        others = [module for module in modules if not isinstance(module, Pooling | Normalize | Dropout)]
        _check_not_ambiguous(graph, others)
    return tuple(module for module in modules if isinstance(module, Normalize))


def _check_head(graph: Path, output: str, modules: Sequence[Module]) -> None:
    """Raise UnsupportedModelError for a graph that gives logits where the model pools hidden states, or the reverse."""
    pools_logits = any(isinstance(module, SpladePooling) for module in modules)
    if output in HIDDEN_STATES if pools_logits else output == LOGITS:
        wanted = "the logits of a masked language model" if pools_logits else "its hidden states"
        raise UnsupportedModelError(
            f"{graph} gives {output!r}, but this model pools {wanted}; export it again with: edge-st export"
        )


def _check_not_ambiguous(graph: Path, modules: Sequence[Module]) -> None:
    """Raise UnsupportedModelError where a graph of another exporter may or may not compute one of ``modules``."""
    if modules:
        raise UnsupportedModelError(
            f"{graph} was made by another exporter, and it cannot be told whether {type(modules[0]).__name__} is part "
            "of it; export the model again with: edge-st export"
        )


def _changes_tokens(module: Module) -> bool:
    return isinstance(module, CNN) or (isinstance(module, Dense) and module.output_name == TOKEN_EMBEDDINGS)


def check_widths(modules: tuple[Module, ...], widths: Widths, wanted: str = SENTENCE_EMBEDDING) -> int | None:
    """The width of the feature ``wanted`` after all modules, None where it is not known.

    ``widths`` are those of the features before them. Raises UnsupportedModelError or DamagedFileError where a module
    does not fit those before it.
    """
    for module in modules:
        widths = module.widths(widths)
    if wanted not in widths:
        need = "a Pooling" if wanted == SENTENCE_EMBEDDING else f"a module that gives {wanted!r}"
        raise UnsupportedModelError(
            f"the modules give {', '.join(widths)}, but no {wanted.replace('_', ' ')}; check that modules.json names "
            f"{need}"
        )
    return widths[wanted]


def check_word_weights(route: Route, tokens: int) -> None:
    """Raise DamagedFileError where a WordWeights has no weight for some of the tokenizer's ``tokens``."""
    for module in route.modules:
        if isinstance(module, WordWeights) and len(module.weights) < tokens:
            raise DamagedFileError(
                f"WordWeights has {len(module.weights)} weights, the tokenizer in {route.path} knows {tokens} words; "
                "they are from different models: download or export it again"
            )


def check_vocabulary(path: Path, tokens: int, rows: int | None, added: Sequence[str] = ()) -> None:
    """Raise DamagedFileError where the tokenizer in ``path`` knows more ``tokens`` than the model has ``rows``.

    ``added`` are the special tokens that tokenizer.json lacks and tokenizer_config.json names.
    """
    if rows is not None and tokens > rows:
        missing = f" ({', '.join(map(repr, added))} only in tokenizer_config.json)" if added else ""
        raise DamagedFileError(
            f"the tokenizer in {path} knows {tokens} tokens{missing}, the model has embeddings for {rows}; they "
            "are from different models: download or export it again"
        )
