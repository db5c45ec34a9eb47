"""A model trained with each loss of sentence-transformers, exported: the device gives what the trained model gave."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

import edge_st
from edge_st.models.classes import open_model
from edge_st_export import export_model
from edge_st_export.plan import ENGINES
from edge_st_runtime.errors import DamagedFileError
from tests.export.training import rows
from tests.export.training.cases import CASES, KEPT_DIM, KEPT_LAYERS, LAYERS, dense
from tests.export.training.training import examine, fit, outputs, train
from tests.support.slow import slow_but

QUICK = {
    *("MultipleNegativesRanking", "Matryoshka", "Softmax", "CSR over SparseMultipleNegativesRanking"),
    *("Splade over SparseMultipleNegativesRanking", "cross-encoder BinaryCrossEntropy"),
}


@pytest.mark.parametrize("name", slow_but(QUICK, CASES))
def test_the_export_is_the_trained_model(name: str, tmp_path: Path) -> None:
    trained = train(CASES[name], tmp_path)
    given = outputs(trained.model)
    assert np.abs(given - trained.before[:, : given.shape[1]]).max() > 0.01, "training changed nothing"
    for engine, comparison in examine(trained, tmp_path / "out", ENGINES[:1]).items():
        assert comparison.equal, (engine, comparison)
    cut = "Matryoshka" in name
    assert getattr(open_model(tmp_path / "out"), "truncate_dim", None) == (KEPT_DIM if cut else None)


def layers_in(folder: Path) -> Any:
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]


def drop_layers(model: SentenceTransformer) -> None:
    """As sentence-transformers' documentation drops them: the configuration still counts them all."""
    model[0].auto_model.encoder.layer = model[0].auto_model.encoder.layer[:KEPT_LAYERS]


def test_layers_that_were_dropped_stay_away(tmp_path: Path) -> None:
    model = dense(tmp_path)
    drop_layers(model)
    model[0].auto_model.config.num_hidden_layers = KEPT_LAYERS
    model.save_pretrained(str(tmp_path / "kept"), create_model_card=False)
    whole, fewer = (
        export_model(path, tmp_path / name, engines=["onnx"], quiet=True)
        for name, path in (("a", tmp_path / "transformer"), ("b", tmp_path / "kept"))
    )
    assert (layers_in(whole.path), layers_in(fewer.path)) == (LAYERS, KEPT_LAYERS)
    assert fewer.graphs[0].megabytes < whole.graphs[0].megabytes


def test_layers_that_the_configuration_still_counts_are_not_made_up(tmp_path: Path) -> None:
    model = dense(tmp_path)
    drop_layers(model)
    model.save_pretrained(str(tmp_path / "kept"), create_model_card=False)
    with pytest.raises(DamagedFileError, match=r"weights of 2 layers.*counts 3.*num_hidden_layers = 2"):
        export_model(tmp_path / "kept", tmp_path / "out", engines=["onnx"], quiet=True)
    assert not (tmp_path / "out").exists()


def test_mined_negatives_feed_the_trainer(tmp_path: Path) -> None:
    model = dense(tmp_path)
    columns = edge_st.util.mine_hard_negatives(dict(rows.PAIRS), model, num_negatives=2, verbose=False)
    assert list(columns) == ["anchor", "positive", "negative"]
    assert len(columns["anchor"]) == 2 * len(rows.QUERIES)
    before = outputs(model)
    fit(model, CASES["Triplet"].loss, columns, tmp_path)
    assert np.abs(outputs(model) - before).max() > 0.01
