"""Bodies that no client should send: each gets an answer in words, and none an error of Python's own."""

import json
import random
from copy import deepcopy
from typing import Any

import pytest

from edge_st.models.classes import Model
from edge_st.protocols.answering import answer
from edge_st.protocols.openapi.operations import OPERATIONS
from edge_st.protocols.writing import written

BODIES = 250
STATUSES = {200, 400, 422, 424}
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 8.0, 10**25, -(10**300), 1e308, float("nan"), float("inf"), ""),
    *("a", "\x00", "\ud800", "a\udc00b", "fox " * 400, "NONE", "left", "int8", "query", "\u202e\U0010ffff"),
    *([], {}, [[]], [{}], [None], ["a", 1], [1, 2], [[1, 2], ["a"]], [10**12], [True], [["a", "b"], ["c"]]),
    *({"text": "a"}, [{"text": None}], {"a": {"b": [1, {"c": None}]}}, [[["a"]]], {"source_sentence": "a"}),
]
NAMES = (
    *("input", "inputs", "query", "texts", "documents", "property", "prompt", "text", "ids", "model", "config"),
    *("truncate", "truncation_direction", "prompt_name", "input_type", "task", "dimensions", "output_dimension"),
    *("precision", "output_dtype", "normalize", "encoding_format", "raw_scores", "return_text", "return_documents"),
    *("top_n", "parameters", "options", "keep_alive", "add_special_tokens", "skip_special_tokens", "", "\ud800"),
)


def changed(value: Any, chance: random.Random) -> Any:
    """``value`` with something odd in one place."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        name = chance.choice(list(value)) if chance.random() < 0.6 else chance.choice(NAMES)
        if chance.random() < 0.1:
            return {key: each for key, each in value.items() if key != name}
        return {**value, name: changed(value.get(name), chance)}
    if isinstance(value, list) and value and chance.random() < 0.6:
        place = chance.randrange(len(value))
        return [*value[:place], changed(value[place], chance), *value[place + 1 :]]
    return deepcopy(chance.choice(ODD))


@pytest.mark.parametrize("kind", ["dense", "sparse", "cross", "classifier"])
@pytest.mark.parametrize("path", list(OPERATIONS))
def test_every_body_has_an_answer(models: dict[str, Model], path: str, kind: str) -> None:
    chance = random.Random(f"{path} {kind}")
    found = set()
    for _ in range(BODIES // 4):
        body = chance.choice(list(OPERATIONS[path].examples.values()))
        for _ in range(chance.randint(1, 3)):
            body = changed(body, chance)
        content = json.dumps(body)
        status, answered = answer(models[kind], "POST", path, content)
        assert status in STATUSES, content
        written(answered).encode()
        found.add(status)
    assert found - {200}


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embed", "/api/embed", "/"])
@pytest.mark.parametrize(
    "content",
    [
        *('{"input": NaN}', '{"inputs": [Infinity]}', "[" * 100_000, '{"a":' * 100_000, "null", "1", '"a"', "\x00"),
        *('{"input": "a"', '{"input": "a"}}', "\ufeff{}", '{"input": ' + "9" * 5000 + "}", '{"input": 1e999}'),
        *(b"\xff\xfe", b"\x80", b'{"input": "\xff"}', '{"input": "a", "input": 5}', '{"dimensions": -0, "input": "a"}'),
    ],
    ids=lambda content: repr(content)[:20],
)
def test_what_is_hardly_json_has_an_answer(models: dict[str, Model], path: str, content: str | bytes) -> None:
    status, body = answer(models["dense"], "POST", path, content)
    assert status in STATUSES - {200} or (path == "/api/embed" and status == 200)
    assert len(written(body)) < 1000
