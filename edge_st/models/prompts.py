"""Which prompt goes in front of the texts. Source: sentence-transformers' BaseModel, encode_query, encode_document."""

import logging
from collections.abc import Mapping
from typing import Any

from edge_st_runtime.errors import OptionError

logger = logging.getLogger(__name__)
QUERY_NAMES = ("query",)
DOCUMENT_NAMES = ("document", "passage", "corpus")


def merge_prompts(
    defaults: Mapping[str, None], given: Mapping[str, str] | None, saved: Mapping[str, str | None] | None
) -> dict[str, str]:
    """All prompts by name. Given ones win over saved ones; a name in ``defaults`` that nobody gives is ""."""
    for found in (given, saved):
        if found is not None:
            check_mapping(found)
    prompts: dict[str, str | None] = {**defaults, **(given or {})}
    for name, prompt in (saved or {}).items():
        if prompts.get(name) is None:
            prompts[name] = prompt
    return {name: "" if prompt is None else prompt for name, prompt in prompts.items()}


def check_mapping(prompts: Any) -> None:
    """Raise OptionError unless ``prompts`` are names with their prompts."""
    if not isinstance(prompts, Mapping):
        raise OptionError(f"prompts is {prompts!r}; expected names with their prompts, such as {{'query': 'query: '}}")


def check_prompts(prompts: Mapping[str, str], default_prompt_name: str | None) -> None:
    """Raise OptionError for prompts that are not str, and for a default that is not among them."""
    for name, prompt in prompts.items():
        if not isinstance(name, str) or not isinstance(prompt, str):
            raise OptionError(f"prompts has {name!r}: {prompt!r}; expected names and prompts that are str")
    if default_prompt_name is not None and default_prompt_name not in list(prompts):
        raise OptionError(
            f"Default prompt name '{default_prompt_name}' not found in the configured prompts dictionary with keys "
            f"{list(prompts)!r}."
        )


def check_prompt(prompt: str | None) -> None:
    """Raise OptionError unless ``prompt`` is a str or None."""
    if not isinstance(prompt, str | None):
        raise OptionError(f"prompt is {prompt!r}; expected a str, or None")


def resolve_prompt(
    prompts: Mapping[str, str], default_prompt_name: str | None, prompt_name: str | None, prompt: str | None
) -> str | None:
    """The prompt to use: ``prompt``, else the one called ``prompt_name``, else the default.

    Raises OptionError for an unknown name.
    """
    check_prompt(prompt)
    check_mapping(prompts)
    if not isinstance(prompt_name, str | None):
        raise OptionError(f"prompt_name is {prompt_name!r}; expected a str among {list(prompts)}, or None")
    if prompt is not None:
        if prompt_name is not None:
            logger.warning(
                "Provide either a `prompt`, a `prompt_name`, or neither, but not both. Ignoring the `prompt_name` in "
                "favor of `prompt`."
            )
        return prompt
    name = prompt_name if prompt_name is not None else default_prompt_name
    if name is None:
        return None
    if name not in prompts:
        raise OptionError(
            f"Prompt name '{name}' not found in the configured prompts dictionary with keys {list(prompts)!r}. Pass "
            "one of these, or prompt='…'"
        )
    found = prompts[name]
    if not isinstance(found, str):
        raise OptionError(f"prompts has {name!r}: {found!r}; expected names and prompts that are str")
    return found


def task_prompt_name(
    prompts: Mapping[str, str], names: tuple[str, ...], prompt_name: str | None, prompt: str | None
) -> str | None:
    """The prompt name of a query or document: the caller's, else the first of ``names`` that the model has."""
    if prompt_name is not None or prompt is not None:
        return prompt_name
    check_mapping(prompts)
    return next((name for name in names if name in prompts), None)
