"""A request to a model taken apart, for callers that decide themselves what is computed together, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from edge_st_runtime.model.pipeline import Batch, Pipeline, Rows, Wanted
from edge_st_runtime.text.expansion import QueryExpansion
from edge_st_runtime.text.tokens import TextOrPair, Tokens

from .base import BaseModel
from .encoder import Encoder
from .outputs import Output
from .prompts import DOCUMENT_NAMES, QUERY_NAMES, resolve_prompt, task_prompt_name

_PROMPTS = {"query": QUERY_NAMES, "document": DOCUMENT_NAMES}


@dataclass(frozen=True, eq=False)
class Steps:
    """Texts to tokens, and tokens to values, for one kind of request.

    Values of the same ``kind`` may be computed together, whoever asked for them.
    """

    pipeline: Pipeline
    output: Output
    limit: int | None
    prompt: str | None
    kind: tuple[Any, ...]
    expansion: QueryExpansion | None = None

    def tokens(self, texts: Sequence[TextOrPair], *, cut_left: bool | None = None) -> Tokens:
        """The tokens of ``texts``, each after the prompt and cut to the limit, on the tokenizer's own side for None.

        Raises InputError for texts that the tokenizer or the model cannot take, OptionError where the tokenizer cannot
        cut on that side.
        """
        found = self.pipeline.tokens(texts, self.limit, self.prompt, self.expansion, cut_left=cut_left)
        self.pipeline.check(texts, found)
        return found

    def plan(self, tokens: Tokens) -> list[Rows]:
        """The rows of each batch, where nothing else is to be computed."""
        return self.pipeline.plan(tokens, len(tokens.ids))

    def values(
        self,
        texts: Sequence[TextOrPair],
        tokens: Tokens,
        rows: Rows | None = None,
        places: Rows | None = None,
        *,
        alone: bool = False,
        urgent: bool = False,
    ) -> Any:
        """The values of ``rows`` (None: all), in their order, as ``output`` selects them.

        ``alone`` and ``urgent`` as in `TokenBatch`.

        Raises NotFiniteError, which names a text by its number among ``places``, and EngineError.
        """
        rows = np.arange(len(texts)) if rows is None else rows
        return self.pipeline.compute(self._wanted, Batch(0, texts, rows, tokens, alone, urgent), places)[1]

    @cached_property
    def _wanted(self) -> Wanted:
        extra = {**self.output.extra, **self.pipeline.prompt_features(self.prompt, self.limit)}
        return Wanted(self.output.select, extra, self.output.checked, self.output.keeps_tokens, self.output.outputs)


def steps_of(model: BaseModel, output: Output, task: str | None = None, prompt_name: str | None = None) -> Steps:
    """The steps of ``model`` to ``output``, as `encode` goes, or for a task `encode_query` and `encode_document`.

    Raises OptionError for a prompt or a task that the model does not have.
    """
    if task is not None and isinstance(model, Encoder):
        prompt_name = task_prompt_name(model.prompts, _PROMPTS.get(task, ()), prompt_name, None)
    prompt = resolve_prompt(model.prompts, model.default_prompt_name, prompt_name, None) or None
    runner = model._runner
    route = runner.route(task)
    limit, expansion = runner.limit(route, task), runner.task(route, task).expansion
    kind = (route, prompt, output, limit, expansion)
    return Steps(runner.pipelines[route], output, limit, prompt, kind, expansion)
