"""One call of a model, as it is carried from the public method to the runner, and on to worker processes."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_st_runtime.text.tokens import TextOrPair

from .outputs import Output
from .settings import Settings


@dataclass(frozen=True, eq=False)
class Request:
    """Checked ``texts`` (texts or pairs) with all that decides what the model gives for them.

    ``singular`` says that the caller gave one text and not a list. ``route`` is the name of the route through a Router,
    "" in models without one, ``task`` what the texts are for. ``prompt`` goes before each text. A batch has at most
    ``batch_size`` texts. ``settings`` are those of the model at the moment of the call, with what the call changes.
    """

    texts: Sequence[TextOrPair]
    singular: bool
    route: str
    task: str | None
    prompt: str | None
    batch_size: int
    output: Output
    settings: Settings
