"""An index and the settings of its model: vectors of other settings are refused, with what differs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_st import Index, SentenceTransformer
from edge_st_runtime.errors import OptionError

pytestmark = pytest.mark.usefixtures("quick_disk")


def shorter(model: SentenceTransformer) -> None:
    model.max_seq_length = 7


def other_prompts(model: SentenceTransformer) -> None:
    model.prompts["document"] = "passage: "


CHANGES: dict[str, Callable[[SentenceTransformer], None]] = {"max_seq_length": shorter, "prompts": other_prompts}


@pytest.fixture
def model(tiny_folder: Path) -> SentenceTransformer:
    return SentenceTransformer(tiny_folder, backend="onnx")


@pytest.fixture
def index(model: SentenceTransformer, tmp_path: Path) -> Iterator[Index]:
    with Index.build(model, ["a fox"], tmp_path / "x") as found:
        yield found


@pytest.mark.parametrize("part", CHANGES)
def test_a_model_that_changed_is_refused_with_what_differs(part: str, index: Index, model: SentenceTransformer) -> None:
    CHANGES[part](model)
    calls: list[Callable[[], Any]] = [
        lambda: index.add(["a dog"]),
        lambda: index.update([0], ["a dog"]),
        lambda: index.search("a dog"),
        lambda: Index.open(index.info()["path"], model=model),
    ]
    for call in calls:
        with pytest.raises(OptionError, match=rf"their embeddings do not compare, as they differ in {part}\. Open"):
            call()
    assert index.ids() == [0]


def test_a_model_that_is_as_it_was_goes_on(index: Index, model: SentenceTransformer) -> None:
    limit = model.max_seq_length
    shorter(model)
    model.max_seq_length = limit
    model.truncate_dim = 2
    index.add(["a dog"])
    assert [hit["corpus_id"] for hit in index.search("a dog", top_k=1)] == [1]


def test_other_weights_are_named(index: Index) -> None:
    with pytest.raises(OptionError, match=r"as they differ in .*tokenizer, weights"):
        Index.open(index.info()["path"], model=SentenceTransformer())
