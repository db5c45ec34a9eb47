"""The texts of a request, and the fields that say how they become tokens."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..models.classes import Model
from ..models.prompts import DOCUMENT_NAMES, QUERY_NAMES
from .engine import Texts
from .fields import SWITCH, TEXT, RequestError, check_text, either, one_of, optional, shown

Decode: TypeAlias = Callable[[list[Any], str], str]
_EXPECTED = "expected a string or a list of strings"
TASK_FIELDS = ("input_type", "task")
#: what clients call queries and documents: sentence-transformers, Cohere, NVIDIA, Voyage and Jina
TASKS = {
    **dict.fromkeys((*QUERY_NAMES, "search_query", "retrieval.query"), "query"),
    **dict.fromkeys((*DOCUMENT_NAMES, "search_document", "retrieval.document", "retrieval.passage"), "document"),
}
#: Cohere's and NVIDIA's words for ``truncate``: whether a text is cut, and whether on the left
SIDES = {"NONE": (False, None), "START": (True, True), "END": (True, False)}


def read_texts(model: Model, body: Mapping[str, Any], name: str, decode: Decode | None = None) -> Texts:
    """The text or texts in the field ``name``, with `prompt_of` and `truncation_of`; raises what those raise."""
    prompt_name, task = prompt_of(model, body)
    return Texts(texts_of(body, name, decode), name, prompt_name, task, *truncation_of(body))


def texts_of(body: Mapping[str, Any], name: str, decode: Decode | None = None) -> list[str]:
    """The text or the texts in the field ``name``, as a list.

    Where a client may send token ids, ``decode`` gives the text of a list of them, of which it also gets the name.
    Raises RequestError where there is no text, where one is empty, and for token ids without ``decode``: they belong to
    the tokenizer of another model, such as OpenAI's.
    """
    value = body.get(name)
    if value is None:
        raise RequestError(f"`{name}` is missing; {_EXPECTED}", name)
    if isinstance(value, str):
        return [_text(value, name, name, None)]
    if not isinstance(value, list):
        raise RequestError(f"`{name}` is {shown(value)}; {_EXPECTED}", name)
    if not value:
        raise RequestError(f"`{name}` is an empty list; expected at least one text", name, empty=True)
    if decode is not None and _is_id(value[0]):
        return [_text(value, name, name, decode)]
    return [_text(each, f"{name}[{place}]", name, decode) for place, each in enumerate(value)]


def _text(value: Any, where: str, name: str, decode: Decode | None) -> str:
    is_ids = isinstance(value, list) and len(value) > 0 and _is_id(value[0])
    if decode is None and (is_ids or _is_id(value)):
        raise RequestError(
            f"`{where}` holds token ids; they belong to another tokenizer than this model's: send texts (in LangChain: "
            "OpenAIEmbeddings(check_embedding_ctx_length=False))",
            name,
        )
    if decode is not None and is_ids:
        return decode(value, where)
    if not isinstance(value, str):
        raise RequestError(f"`{where}` is {shown(value)}; expected a string", name)
    if not value:
        raise RequestError(f"`{where}` is an empty string; leave it out", name, empty=True)
    check_text(value, where, name)
    return value


def _is_id(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def prompt_of(model: Model, body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The name of a prompt, and whether the texts are a "query" or a "document"; None for what a body leaves open.

    ``prompt_name`` is a prompt of the model. ``input_type``, or Jina's ``task``, is one too, or one of the names that
    clients have for queries and documents, or a task of a model with routes. Raises RequestError for anything else, and
    for both of the last two.
    """
    prompt_name: str | None = optional(body, "prompt_name", TEXT)
    name, value = either(body, TASK_FIELDS, TEXT)
    if value is None:
        return prompt_name, None
    task = TASKS.get(value) or (value if value in model.tasks else None)
    if task is None and value not in model.prompts:
        known = ", ".join(dict.fromkeys(["query", "document", *model.prompts]))
        raise RequestError(f"`{name}` is {shown(value)}; expected one of {known}", name)
    if prompt_name is None and value in model.prompts:
        prompt_name = value
    return prompt_name, task


def truncation_of(body: Mapping[str, Any]) -> tuple[bool | None, bool | None]:
    """Whether texts that are too long are cut, and whether on the left; None for what a body leaves open.

    ``truncate`` is true or false, or "NONE", "START" or "END" as Cohere and NVIDIA have it. ``truncation_direction`` is
    "left" or "right". Raises RequestError for anything else.
    """
    found, direction = body.get("truncate"), optional(body, "truncation_direction", TEXT)
    left: bool | None = None
    if isinstance(found, str):
        truncate, left = SIDES[one_of({"truncate": found.upper()}, "truncate", list(SIDES), "")]
    else:
        truncate = optional(body, "truncate", SWITCH)
    if direction is not None:
        lower = {"truncation_direction": direction.lower()}
        left = one_of(lower, "truncation_direction", ("left", "right"), "") == "left"
    return truncate, left
