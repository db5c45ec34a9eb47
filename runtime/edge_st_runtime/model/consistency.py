"""Whether the parts of a model belong together: its graph, its modules, its tokenizer."""

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
    """The modules still to apply: all, less those in the graph."""
    graph = route.path / choice.file
    inside = route.modules_in_graph
    if inside and backend.output != route.graph_output:
        raise UnsupportedModelError(
            f"{graph} gives {backend.output!r}, what the first module gives alone; more of this model is computed by a "
            "graph: export it again with: edge-st export"
        )
    summed = [replace(module, in_graph=True) for module in route.modules[:inside] if isinstance(module, WordWeights)]
    modules = (*summed, *route.modules[inside:])
    if backend.meaning == route.graph_output:
        if route.needs_graph and not inside and backend.meaning == TOKEN_EMBEDDINGS:
            _check_head(graph, backend.output, modules)
        if route.needs_graph and not inside and backend.output == TOKEN_EMBEDDINGS:
            _refuse_doubt(graph, [module for module in modules if _changes_tokens(module)])
        return modules
    if backend.meaning != SENTENCE_EMBEDDING:
        raise UnsupportedModelError(
            f"{graph} gives {backend.output!r}, but this model's {route.kind} gives {route.graph_output!r}; export it "
            "again with: edge-st export"
        )
    if route.modules_exported:
        return route.modules[route.modules_exported :]
    if backend.output != SENTENCE_EMBEDDING:
        _refuse_doubt(graph, [module for module in modules if not isinstance(module, Pooling | Normalize | Dropout)])
    return tuple(module for module in modules if isinstance(module, Normalize))


def _check_head(graph: Path, output: str, modules: Sequence[Module]) -> None:
    """Raise UnsupportedModelError for words' logits where hidden states are pooled, and the other way round."""
    pools_logits = any(isinstance(module, SpladePooling) for module in modules)
    if output in HIDDEN_STATES if pools_logits else output == LOGITS:
        wanted = "the logits of a masked language model" if pools_logits else "its hidden states"
        raise UnsupportedModelError(
            f"{graph} gives {output!r}, but this model pools {wanted}; export it again with: edge-st export"
        )


def _refuse_doubt(graph: Path, modules: Sequence[Module]) -> None:
    """Raise UnsupportedModelError for a graph of another exporter, which may hold one of ``modules`` or not."""
    if modules:
        raise UnsupportedModelError(
            f"{graph} was made by another exporter, and it cannot be told whether {type(modules[0]).__name__} is in it "
            "already; export the model again with: edge-st export"
        )


def _changes_tokens(module: Module) -> bool:
    return isinstance(module, CNN) or (isinstance(module, Dense) and module.output_name == TOKEN_EMBEDDINGS)


def check_widths(modules: tuple[Module, ...], widths: Widths, wanted: str = SENTENCE_EMBEDDING) -> int | None:
    """The width of the feature ``wanted`` in the end, None where it is not known.

    Raises UnsupportedModelError or DamagedFileError where a module does not fit those before it.
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
                "they are not of the same model: download or export it again"
            )


def check_vocabulary(path: Path, tokens: int, rows: int | None, added: Sequence[str] = ()) -> None:
    """Raise DamagedFileError where the tokenizer in ``path`` has more ``tokens`` than the model ``rows``.

    ``added`` are the special tokens that tokenizer.json lacks.
    """
    if rows is not None and tokens > rows:
        missing = f" ({', '.join(map(repr, added))} only in tokenizer_config.json)" if added else ""
        raise DamagedFileError(
            f"the tokenizer in {path} knows {tokens} tokens{missing}, the model has embeddings for {rows}; they "
            "are not of the same model: download or export it again"
        )
