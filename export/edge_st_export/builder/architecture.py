"""What the builder knows of a transformer before it reads weights."""

from typing import Protocol

from .pieces import Pieces
from .ports import Output


class Architecture(Protocol):
    """A transformer as its config.json describes it.

    ``prefix`` is what models with a head put before the names of the transformer's weights. ``inputs`` are the names of
    the graph's inputs; each is (batch, tokens) int64.
    """

    @property
    def prefix(self) -> str:
        """Such as "bert."."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """Such as "input_ids", "attention_mask"."""
        ...

    def write(self, pieces: Pieces) -> Output:
        """Write all nodes."""
        ...
