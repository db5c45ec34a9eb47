"""What a task changes of how its texts become tokens. Source: sentence-transformers' Transformer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..files.reading import WrongValueError, reading, section, whole_number, wrong
from ..modules.token_mask import DOCUMENT, QUERY
from ..text.expansion import QueryExpansion
from ..text.tokens import Tokenizer
from .route import Route

_STRATEGIES, _KEYS = ("fixed", "min"), {"strategy", "attend", "token", "length"}
#: what fills up queries where nothing is named: the first of these special tokens that the tokenizer has
_FILLING = ("mask_token", "eos_token")


@dataclass(frozen=True)
class Task:
    """The ``length`` in tokens that a task's texts are cut to, None for the route's limit; their expansion, if any."""

    length: int | None = None
    expansion: QueryExpansion | None = None

    def limit(self, own: int | None, *, of_call: bool = False) -> int | None:
        """The number of tokens that a text is cut to; ``own`` is the route's limit, or with ``of_call`` the call's."""
        if self.expansion is not None and self.expansion.fixed:
            return self.expansion.length
        return own if of_call or self.length is None else self.length


def read_tasks(route: Route, tokenizer: Tokenizer) -> Mapping[str, Task]:
    """The tasks of ``route`` that change something, by name.

    Raises DamagedFileError for a length or an expansion that sentence-transformers would not write or that the
    tokenizer or the model cannot follow.
    """
    with reading(route.path / route.transformer_file.rpartition("/")[2]):
        query = _queries(route, tokenizer)
        document = Task(_within(route, whole_number(route.transformer, "document_length")))
    return {name: task for name, task in ((QUERY, query), (DOCUMENT, document)) if task != Task()}


def _queries(route: Route, tokenizer: Tokenizer) -> Task:
    length = _within(route, whole_number(route.transformer, "query_length"))
    config = section(route.transformer, "query_expansion")
    if not config:
        return Task(length)
    expansion = _expansion(config, tokenizer)
    if length is not None and length < expansion.length:
        raise wrong("query_length", length, f"at least {expansion.length}, the length of query_expansion")
    if _within(route, expansion.length) != expansion.length:
        raise wrong("query_expansion", config, f"a length of at most {route.positions}, the positions of the model")
    return Task(length, expansion)


def _within(route: Route, limit: int | None) -> int | None:
    return limit if limit is None or route.positions is None else min(limit, route.positions)


def _expansion(config: Mapping[str, Any], tokenizer: Tokenizer) -> QueryExpansion:
    strategy, attend, length = config.get("strategy"), config.get("attend", False), whole_number(config, "length")
    if set(config) - _KEYS or strategy not in _STRATEGIES or not isinstance(attend, bool) or length is None:
        raise wrong(
            "query_expansion", dict(config), "the keys strategy ('fixed' or 'min'), attend (a bool), token and length"
        )
    if tokenizer.pad_left:
        raise WrongValueError("query_expansion needs a tokenizer that pads on the right; padding_side is 'left'")
    return QueryExpansion(length, _filling(config.get("token"), tokenizer), attend, fixed=strategy == "fixed")


def _filling(token: Any, tokenizer: Tokenizer) -> int:
    """The id of the token that fills up queries."""
    special: Mapping[str, str] = getattr(tokenizer, "special_tokens", {})
    names = [special[name] for name in _FILLING if name in special] if token is None else [token]
    found = [tokenizer.tokenizer.token_to_id(name) for name in names if isinstance(name, str)]
    if not found or found[0] is None:
        what = f"{token!r} is no token of this tokenizer" if token is not None else "it has no mask or end token"
        raise WrongValueError(f"query_expansion fills up queries with a token, but {what}; expected one as 'token'")
    return int(found[0])
