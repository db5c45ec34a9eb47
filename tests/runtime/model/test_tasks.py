"""Lengths and expansions by task, as sentence_bert_config.json names them."""

from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import DamagedFileError
from edge_st_runtime.model.route import read_route
from edge_st_runtime.model.tasks import Task, read_tasks
from edge_st_runtime.model.tokenizers import open_tokenizer
from edge_st_runtime.text.expansion import QueryExpansion
from tests.support.tiny_models import TinyModel, write_json

MASK = {"pad_token": "[PAD]", "mask_token": "[UNK]"}
FIXED = {"strategy": "fixed", "length": 8}


def tasks(folder: Path, settings: dict[str, Any], **tokenizer: str) -> Any:
    TinyModel(tokenizer_config={**MASK, **tokenizer}).save(folder)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 24, **settings})
    route = read_route(folder, "Transformer", folder, ())
    return read_tasks(route, open_tokenizer(route)[0])


def unknown(folder: Path) -> int:
    route = read_route(folder, "Transformer", folder, ())
    return int(open_tokenizer(route)[0].tokenizer.token_to_id("[UNK]"))


def test_models_without_tasks_have_none(tmp_path: Path) -> None:
    assert tasks(tmp_path, {}) == {}
    assert tasks(tmp_path, {"query_length": None, "query_expansion": None}) == {}


def test_lengths_are_those_of_the_tasks_and_never_beyond_the_positions(tmp_path: Path) -> None:
    assert tasks(tmp_path, {"query_length": 9, "document_length": 500}) == {"query": Task(9), "document": Task(64)}


def test_an_expansion_is_filled_with_the_mask_token(tmp_path: Path) -> None:
    found = tasks(tmp_path, {"query_expansion": {"strategy": "min", "length": 8, "attend": True, "token": None}})
    assert found == {"query": Task(None, QueryExpansion(8, unknown(tmp_path), attend=True, fixed=False))}


def test_an_expansion_is_filled_with_the_token_it_names(tmp_path: Path) -> None:
    found = tasks(tmp_path, {"query_expansion": {**FIXED, "token": "[PAD]"}})
    assert found["query"].expansion == QueryExpansion(8, 0)


@pytest.mark.parametrize(
    ("task", "limits"),
    [
        (Task(), (24, 5)),
        (Task(9), (9, 5)),
        (Task(None, QueryExpansion(8, 0)), (8, 8)),
        (Task(None, QueryExpansion(8, 0, fixed=False)), (24, 5)),
        (Task(12, QueryExpansion(8, 0, fixed=False)), (12, 5)),
    ],
)
def test_the_limit_of_a_task(task: Task, limits: tuple[int, int]) -> None:
    assert (task.limit(24), task.limit(5, of_call=True)) == limits


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"query_length": 0}, "query_length"),
        ({"document_length": "long"}, "document_length"),
        ({"query_expansion": "fixed"}, "query_expansion"),
        ({"query_expansion": {"strategy": "fixed"}}, "expected the keys strategy"),
        ({"query_expansion": {"strategy": "most", "length": 8}}, "expected the keys strategy"),
        ({"query_expansion": {**FIXED, "attend": 1}}, "expected the keys strategy"),
        ({"query_expansion": {**FIXED, "colour": 1}}, "expected the keys strategy"),
        ({"query_expansion": {**FIXED, "token": "[NONE]"}}, r"'\[NONE\]' is no token of this tokenizer"),
        ({"query_expansion": {**FIXED, "length": 65}}, "at most 64"),
        ({"query_expansion": FIXED, "query_length": 4}, "expected at least 8"),
    ],
    ids=str,
)
def test_settings_that_nothing_can_follow(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=f"sentence_bert_config.json.*{message}"):
        tasks(tmp_path, settings)


def test_a_tokenizer_without_a_token_to_fill_with(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match="it has no mask or end token"):
        tasks(tmp_path, {"query_expansion": FIXED}, mask_token="")


def test_a_tokenizer_that_pads_on_the_left(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match="pads on the right"):
        tasks(tmp_path, {"query_expansion": FIXED}, padding_side="left")
