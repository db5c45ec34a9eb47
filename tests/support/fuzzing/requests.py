"""Requests that a hostile or unlucky client may send, to every route of the service."""

import json
import random
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from edge_st.protocols.openapi.operations import OPERATIONS

from .values import change

#: optional fields, so that they are changed, too
_MORE: Mapping[str, Any] = {
    "model": "dense",
    "dimensions": 4,
    "normalize": True,
    "precision": "int8",
    "prompt_name": "query",
    "input_type": "document",
    "truncate": True,
    "truncation_direction": "left",
    "encoding_format": "base64",
    "top_n": 1,
    "raw_scores": True,
    "return_text": True,
    "return_documents": True,
    "options": {"num_ctx": 5},
    "parameters": {"truncate": True},
    "config": {"dimensions": 3},
    "user": None,
}
_SEARCH = {"query": "who", "index": "documents", "top_k": 3, "filter": {"even": True}, "score_threshold": 0.1}
_JSON = "application/json"
_TYPES = ("", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "\xff")


class Sent(NamedTuple):
    """A request: its path, its body, and its headers."""

    path: str
    content: bytes
    headers: Mapping[str, str]


def requests(count: int, seed: int = 0) -> Iterator[Sent]:
    """So many requests, always the same ones: every path in turn, with one to four changes of a body that is right."""
    chance = random.Random(seed)
    bodies: dict[str, list[Any]] = {path: list(each.examples.values()) for path, each in OPERATIONS.items()}
    bodies["/search"] = [_SEARCH]
    paths = list(bodies)
    for number in range(count):
        path = paths[number % len(paths)]
        body = deepcopy(chance.choice(bodies[path]))
        for name in chance.sample(list(_MORE), chance.choice((0, 0, 1, 3))):
            body.setdefault(name, deepcopy(_MORE[name]))
        for _ in range(chance.randint(1, 4)):
            body = change(body, chance)
        content = json.dumps(body, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        headers = {"content-type": _JSON if chance.random() < 0.9 else chance.choice(_TYPES)}
        yield Sent(path, _torn(content, chance) if chance.random() < 0.2 else content, headers)


def _torn(content: bytes, chance: random.Random) -> bytes:
    """``content`` as a broken connection or program would leave it."""
    place = chance.randrange(len(content) + 1)
    kind = chance.randrange(7)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + chance.randbytes(chance.randint(1, 9)) + content[place:]
    if kind == 2:
        return content[:place] + content[place + chance.randint(1, 9) :]
    if kind == 3:
        return content + chance.choice((b"}", b"\0", b"{}", b"  ", content))
    if kind == 4:
        return chance.choice(
            (
                b"",
                b"null",
                b"[]",
                b"0",
                b'""',
                b"\xef\xbb\xbf" + content,
                content.decode("utf-8", "replace").encode("utf-16"),
            )
        )
    if kind == 5:
        opening = chance.choice((b"[", b'{"inputs":', b'{"input":['))
        return opening * chance.choice((10, 1000, 100_000))
    return content.replace(b'"', chance.choice((b"'", b"", b'\\"')), chance.randint(1, 5))
