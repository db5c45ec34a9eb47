"""What answers ask of a model. `Direct` computes at once; the server's engine joins the texts of many requests."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import OptionError
from edge_st_runtime.machine.parallel import parallel_map
from edge_st_runtime.text.tokens import TextOrPair, Tokens
from edge_st_runtime.vectors.sparse import SparseMatrix

from ..models.classes import Model
from ..models.cross_encoder import CrossEncoder
from ..models.outputs import Embeddings, Logits, Output, TokenEmbeddings, check_tokens
from ..models.sentence_transformer import SentenceTransformer
from ..models.sparse_encoder import SparseEncoder
from ..models.sparse_outputs import SparseEmbeddings
from ..models.steps import Steps, steps_of
from .fields import NoSuchTaskError, RequestError

_T = TypeVar("_T")
_Class = TypeVar("_Class", SentenceTransformer, CrossEncoder, SparseEncoder)
_TASKS = {
    SentenceTransformer: "gives embeddings",
    CrossEncoder: "scores pairs",
    SparseEncoder: "gives sparse embeddings",
}


def check_served(model: Model) -> None:
    """Raise OptionError for a model that no answer is made of: a MultiVectorEncoder."""
    if not isinstance(model, tuple(_TASKS)):
        raise OptionError(
            f"{model!r} gives a vector for every token, which no route answers with; expected "
            f"{', '.join(kind.__name__ for kind in _TASKS)}. Use it from Python: edge_st.{type(model).__name__}"
        )


@dataclass(frozen=True)
class Texts:
    """The texts or pairs of a request, from its field ``name``, and what decides their tokens.

    ``task`` is "query" or "document", and takes that prompt unless there is a ``prompt_name``. ``truncate`` False
    refuses texts that are too long. ``cut_left`` None cuts on the model's own side.
    """

    texts: Sequence[TextOrPair]
    name: str
    prompt_name: str | None = None
    task: str | None = None
    truncate: bool | None = None
    cut_left: bool | None = None


class Counts(NamedTuple):
    """The tokens (n,) int64 of each text with its prompt before it is cut, and the ``limit`` of the model.

    Of a very long text, not all tokens are counted.
    """

    tokens: NDArray[np.int64]
    limit: int | None

    @property
    def read(self) -> int:
        """The tokens of all texts that the model has read."""
        return int((self.tokens if self.limit is None else np.minimum(self.tokens, self.limit)).sum())

    @property
    def truncated(self) -> list[int]:
        """The places of the texts that are cut."""
        return [] if self.limit is None else np.flatnonzero(self.tokens > self.limit).tolist()


class Answered(NamedTuple):
    """The body of an answer, which may hold NumPy arrays and numbers where JSON has lists and numbers, and `Counts`."""

    body: Any
    counts: Counts


class Engine(ABC):
    """A loaded ``model`` that computes for requests; ``name`` is what clients call it.

    ``truncate`` says whether texts that are too long are cut where a request does not say.

    Every method raises NoSuchTaskError for a model of another class, RequestError for texts that are too long and must
    not be cut, OptionError for an unknown prompt, and InputError for a text that is not valid Unicode.
    """

    def __init__(self, model: Model, name: str | None = None, *, truncate: bool = True) -> None:
        self.model = model
        self.name = name or model.model_card_data.model_name or ""
        self.truncate = truncate

    @abstractmethod
    async def compute(self, steps: Steps, texts: Sequence[TextOrPair], tokens: Tokens) -> list[Any]:
        """The value of each text."""

    async def call(self, function: Callable[[], _T]) -> _T:
        """The result of ``function``, which may take a while and asks nothing of the model's graph."""
        return function()

    async def embed(self, texts: Texts) -> tuple[Floats, Counts]:
        """Embeddings (n, dim) float32, as `SentenceTransformer.encode` gives them."""
        model = self._of_class(SentenceTransformer)
        found, counts = await self._values(model, texts, Embeddings())
        return np.stack(found)[:, : model.truncate_dim], counts

    async def embed_tokens(self, texts: Texts) -> tuple[list[Floats], Counts]:
        """Token embeddings (tokens, hidden) float32 of each text; raises OptionError where the model gives none."""
        return await self._values(self._of_class(SentenceTransformer), texts, TokenEmbeddings())

    async def embed_sparse(self, texts: Texts) -> tuple[SparseMatrix, Counts]:
        """Sparse embeddings (n, dim)."""
        model = self._of_class(SparseEncoder)
        found, counts = await self._values(model, texts, SparseEmbeddings(model.max_active_dims))
        return SparseMatrix.from_rows(found, found[0].dim), counts

    async def score(self, texts: Texts) -> tuple[Floats, Counts]:
        """The logits (n, labels) float32 of pairs, before any activation."""
        found, counts = await self._values(self._of_class(CrossEncoder), texts, Logits())
        return np.stack(found), counts

    async def _values(self, model: Model, texts: Texts, output: Output) -> tuple[list[Any], Counts]:
        steps = self.steps(model, output, texts.task, texts.prompt_name)
        check_tokens(output, pools=steps.pipeline.pools)
        tokens = await self.tokens(steps, texts)
        counts = Counts(tokens.counts, steps.limit)
        if not (self.truncate if texts.truncate is None else texts.truncate):
            _refuse_long(counts, texts.name)
        return await self.compute(steps, texts.texts, tokens), counts

    def steps(self, model: Model, output: Output, task: str | None, prompt_name: str | None) -> Steps:
        """The steps of ``model`` to ``output``; raises OptionError for a prompt or a task that it does not have."""
        return steps_of(model, output, task, prompt_name)

    async def tokens(self, steps: Steps, texts: Texts) -> Tokens:
        """The tokens of ``texts``."""
        return steps.tokens(texts.texts, cut_left=texts.cut_left)

    def _of_class(self, wanted: type[_Class]) -> _Class:
        if not isinstance(self.model, wanted):
            raise NoSuchTaskError(
                f"the model {self.name!r} is a {type(self.model).__name__}; this request needs one that "
                f"{_TASKS[wanted]}"
            )
        return self.model


class Direct(Engine):
    """Computes at once; nothing is awaited."""

    async def compute(self, steps: Steps, texts: Sequence[TextOrPair], tokens: Tokens) -> list[Any]:
        """The value of each text, longest texts first."""
        plan = steps.plan(tokens)
        values = partial(steps.values, texts, tokens, alone=len(plan) == 1)
        found: list[Any] = [None] * len(texts)
        for rows, some in zip(plan, parallel_map(values, iter(plan), steps.pipeline.backend.concurrency), strict=True):
            for row, value in zip(rows.tolist(), some, strict=True):
                found[row] = value
        return found


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """The result of ``coroutine``, which awaits nothing, as with `Direct`; raises what it raises."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        found: _T = finished.value
        return found
    coroutine.close()
    raise RuntimeError("the coroutine waits for something; run it in an event loop")


def _refuse_long(counts: Counts, name: str) -> None:
    for place in counts.truncated:
        raise RequestError(
            f"`{name}` must have at most {counts.limit} tokens; text {place} has {counts.tokens[place]}: shorten it, "
            "or have it cut with `truncate`: true",
            name,
        )
