"""Select models from edge-st's manifest for an export."""

from collections.abc import Iterable, Sequence

from edge_st.manifest import TASKS, ModelEntry, filter_models, find_model, load_manifest


def select_models(selectors: Sequence[str], *, trust_remote_code: bool) -> tuple[list[ModelEntry], list[str]]:
    """The manifest's entries for ``selectors``, each once, and a note on each entry that is left out.

    A selector is a task or a model; without any, all entries are meant. Models that run code of their own are left out
    unless remote code is trusted. Raises OptionError for an unknown model.
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
