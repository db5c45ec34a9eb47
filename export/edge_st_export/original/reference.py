"""The reference of a comparison: what the original gives for the comparison texts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_st.models.prompts import DOCUMENT_NAMES, QUERY_NAMES, task_prompt_name
from edge_st.verification.outputs import gives_tokens, output_rows
from edge_st_runtime.arrays import Floats
from edge_st_runtime.model.record import Golden
from edge_st_runtime.text.tokens import TextOrPair

from .texts import is_golden, texts_of_task

#: a prompt's name, a task, and the texts
_Call: TypeAlias = tuple[str | None, str | None, tuple[TextOrPair, ...]]
#: the tasks of a model of queries and documents, and the names that their prompts may have
_TASKS = {"query": QUERY_NAMES, "document": DOCUMENT_NAMES}


@dataclass(frozen=True, eq=False)
class ReferencePart:
    """What the original gives with one prompt and one task.

    ``prompt_name`` None names no prompt. ``embeddings`` are vectors (texts, dim), or logits (pairs, labels). For models
    that give token vectors ``counts`` (texts,) int64 are the numbers of rows of each text; else it is None.
    """

    prompt_name: str | None
    task: str | None
    texts: tuple[TextOrPair, ...]
    embeddings: Floats
    counts: NDArray[np.int64] | None = None

    @property
    def golden_texts(self) -> list[TextOrPair]:
        """The golden ones among the texts."""
        return [self.texts[place] for place in self.golden_places]

    @property
    def golden_places(self) -> list[int]:
        """Their places among the texts."""
        tokens = self.counts is not None
        return [place for place, text in enumerate(self.texts) if is_golden(text, tokens=tokens)]

    @property
    def golden(self) -> Golden:
        """What the original gives for the golden texts."""
        every = Golden(self.prompt_name, self.task, self.embeddings, counts=self.counts)
        return every.at(self.golden_places)


Reference: TypeAlias = tuple[ReferencePart, ...]


def compute_reference(
    model: Any, prompts: Mapping[str, str | None], tasks: Sequence[str | None], texts: Sequence[TextOrPair]
) -> Reference:
    """Run ``model`` over ``texts`` with each of ``tasks``, then over the golden texts with each prompt.

    A model that gives token vectors is also run as its ``encode_query`` and ``encode_document`` do. ``model`` is the
    original, or an edge-st model that stands in for it.
    """
    calls = _calls_of_tokens if gives_tokens(model) else _calls
    return tuple(
        ReferencePart(name, task, given, *output_rows(model, list(given), name, task))
        for name, task, given in calls(prompts, tasks, texts)
    )


def _calls(
    prompts: Mapping[str, str | None], tasks: Sequence[str | None], texts: Sequence[TextOrPair]
) -> Iterator[_Call]:
    golden = tuple(text for text in texts if is_golden(text))
    yield from ((None, task, tuple(texts)) for task in tasks)
    yield from ((name, tasks[0], golden) for name, prompt in sorted(prompts.items()) if prompt)


def _calls_of_tokens(
    prompts: Mapping[str, str | None], tasks: Sequence[str | None], texts: Sequence[TextOrPair]
) -> Iterator[_Call]:
    golden = tuple(text for text in texts if is_golden(text, tokens=True))
    known = {name: prompt or "" for name, prompt in prompts.items()}
    named = {task: task_prompt_name(known, names, None, None) for task, names in _TASKS.items()}
    yield from ((None, task, texts_of_task(texts, task)) for task in tasks if task not in _TASKS)
    yield from ((named[task], task, texts_of_task(texts, task)) for task in _TASKS if task in tasks or None in tasks)
    others = {name for name, prompt in known.items() if prompt} - set(named.values())
    yield from ((name, tasks[0], golden) for name in sorted(others))
