"""Progress bars where there is no standard error to write them to."""

import logging
import sys

import numpy as np
import pytest

from edge_st import SentenceTransformer


@pytest.mark.parametrize("asked", [None, True])
def test_a_program_without_standard_error(asked: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    model = SentenceTransformer()
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(logging.getLogger("edge_st"), "level", logging.INFO)
    found = model.encode(["a", "b"], show_progress_bar=asked)
    assert found.shape == (2, model.get_embedding_dimension())
    assert np.isfinite(found).all()
