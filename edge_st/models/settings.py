"""What a caller may change of a loaded model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edge_st_runtime.modules.specs import Module, Pooling

from .truncation import Truncation


@dataclass(frozen=True)
class Settings:
    """Each route's limit in tokens, None for none, and what happens to texts beyond it.

    ``include_prompt`` overrides that of every Pooling; None leaves each its own. ``of_call`` says that the limits are
    those of one call, which go before those of a task.
    """

    limits: Mapping[str, int | None]
    truncation: Truncation = "silent"
    include_prompt: bool | None = None
    of_call: bool = False

    def applied_to(self, modules: tuple[Module, ...]) -> tuple[Module, ...]:
        """``modules`` with ``include_prompt``."""
        setting = self.include_prompt
        if setting is None:
            return modules
        return tuple(
            replace(module, include_prompt=setting) if isinstance(module, Pooling) else module for module in modules
        )
