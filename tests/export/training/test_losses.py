"""A model trained with each loss of sentence-transformers, exported: the device gives what the trained model gave."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st_export.plan import ENGINES
from tests.export.training.cases import CASES, KEPT_DIM, KEPT_LAYERS
from tests.export.training.training import examine, outputs, train


@pytest.mark.parametrize("name", CASES)
def test_the_export_is_the_trained_model(name: str, tmp_path: Path) -> None:
    trained = train(CASES[name], tmp_path)
    width = outputs(trained.model).shape[1]
    assert np.abs(outputs(trained.model) - trained.before[:, :width]).max() > 0.01, "training changed nothing"
    for engine, comparison in examine(trained, tmp_path / "out", ENGINES[:1]).items():
        assert comparison.equal, (engine, comparison)
