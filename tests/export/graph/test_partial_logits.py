"""The heads of language models of which only a part of the logits is computed."""

from pathlib import Path
from typing import Any

import pytest
import torch

from edge_st_export.builder import words
from edge_st_export.graph.composed import Composed
from tests.export.zoo.sparse import masked


@pytest.mark.parametrize("strategy", ["max", "sum"])
@pytest.mark.parametrize("activation", ["relu", "log1p_relu"])
def test_the_words_of_a_large_vocabulary_come_in_parts(
    strategy: str, activation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "_LOGITS_AT_ONCE", 100 * 64)  # for the 64 positions of the model
    ids = torch.arange(5, 29).reshape(2, 12)
    features: dict[str, Any] = {"input_ids": ids, "attention_mask": (ids < 25).long()}
    modules = masked(tmp_path, strategy, activation)
    with torch.no_grad():
        wanted = modules[1](modules[0](dict(features)))["sentence_embedding"]
        model = Composed(modules, "sentence_embedding", None)
        found = model(**features)["sentence_embedding"]
    assert [len(part.weight) for part in model.parts[0].parts] == [100, 100, 100, 100, 10]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
