"""The reference of a comparison: what the original gives for the comparison texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from edge_st.verification.outputs import plain_output
from edge_st_runtime.arrays import Floats
from edge_st_runtime.model.record import Golden
from edge_st_runtime.text.tokens import TextOrPair

from .texts import is_golden


@dataclass(frozen=True, eq=False)
class ReferencePart:
    """What the original gives with one prompt and one task.

    ``prompt_name`` None names no prompt. ``embeddings`` are vectors (texts, dim), or logits (pairs, labels).
    """

    prompt_name: str | None
    task: str | None
    texts: tuple[TextOrPair, ...]
    embeddings: Floats

    @property
    def golden_texts(self) -> list[TextOrPair]:
        """The golden ones among the texts."""
        return [text for text in self.texts if is_golden(text)]

    @property
    def golden(self) -> Golden:
        """What the original gives for the golden texts."""
        rows = [row for row, text in enumerate(self.texts) if is_golden(text)]
        return Golden(self.prompt_name, self.task, self.embeddings[rows])


Reference: TypeAlias = tuple[ReferencePart, ...]


def compute_reference(
    model: Any, prompts: Mapping[str, str | None], tasks: Sequence[str | None], texts: Sequence[TextOrPair]
) -> Reference:
    """Run ``model`` over ``texts`` with each of ``tasks``, then over the golden texts with each prompt.

    ``model`` is the original, or an edge-st model that stands in for it.
    """
    golden = tuple(text for text in texts if is_golden(text))
    calls: list[tuple[str | None, str | None, tuple[TextOrPair, ...]]] = [(None, task, tuple(texts)) for task in tasks]
    calls += [(name, tasks[0], golden) for name, prompt in sorted(prompts.items()) if prompt]
    return tuple(
        ReferencePart(name, task, texts, plain_output(model, list(texts), name, task)) for name, task, texts in calls
    )
