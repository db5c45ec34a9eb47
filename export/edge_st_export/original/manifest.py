"""Which models of edge-st's manifest to export."""

from collections.abc import Iterable, Sequence

from edge_st.manifest import TASKS, ModelEntry, filter_models, find_model, load_manifest


def select_models(selectors: Sequence[str], *, trust_remote_code: bool) -> tuple[list[ModelEntry], list[str]]:
    """The entries that ``selectors`` name, each a task or a model, once each; and notes on what is left out.

    No selector means every model that can be exported. Models that run code of their own are left out unless it is
    trusted. Raises OptionError for an unknown model.
    """
    found = [entry for selector in selectors or TASKS for entry in _named(selector)]
    entries = list({entry.id: entry for entry in found}.values())
    untrusted = [entry for entry in entries if entry.remote_code and not trust_remote_code]
    notes = [
        f"{entry.id} is left out: it runs code of its own; allow it with --trust-remote-code" for entry in untrusted
    ]
    return [entry for entry in entries if entry not in untrusted], notes


def _named(selector: str) -> Iterable[ModelEntry]:
    if selector in TASKS:
        entries: Iterable[ModelEntry] = filter_models(load_manifest(), task=selector)
    else:
        entries = [find_model(selector)]
    return entries
