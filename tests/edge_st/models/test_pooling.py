"""How a folder without modules.json pools: what is assumed, and what the caller says."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer
from edge_st_runtime.errors import OptionError
from tests.support.tiny_graphs import TinyGraph
from tests.support.tiny_models import TinyModel, write_json
from tests.support.tiny_pair_models import ONE
from tests.support.tiny_tokenizers import random_texts

TEXTS = random_texts(10)


@pytest.fixture
def folder(tiny: TinyModel, tmp_path: Path) -> Path:
    """A model as transformers saves it."""
    return plain(tiny, tmp_path / "model")


def plain(model: TinyModel, folder: Path) -> Path:
    model.save(folder)
    for name in ("modules.json", "1_Pooling/config.json"):
        (folder / name).unlink()
    (folder / "1_Pooling").rmdir()
    write_json(folder / "config.json", {"model_type": "bert", "architectures": ["BertModel"]})
    return folder


def pooled(tiny: TinyModel, *modes: str) -> Any:
    rows = [tiny.token_embeddings(text) for text in TEXTS]
    functions = {"cls": lambda row: row[0], "mean": lambda row: row.mean(axis=0), "max": lambda row: row.max(axis=0)}
    return np.stack([np.concatenate([functions[mode](row) for mode in modes]) for row in rows])


def test_what_is_assumed_is_said(folder: Path, tiny: TinyModel, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        model = SentenceTransformer(folder)
    (message,) = caplog.messages
    assert message.startswith(f"{folder} has no modules.json, which says how the model pools; 'mean' is assumed")
    assert message.endswith("name it, as pooling='mean'")
    np.testing.assert_allclose(model.encode(TEXTS), pooled(tiny, "mean"), atol=2e-6)


@pytest.mark.parametrize(("pooling", "modes"), [("cls", ["cls"]), ("mean", ["mean"]), (["cls", "max"], ["cls", "max"])])
def test_what_is_named(
    pooling: Any, modes: list[str], folder: Path, tiny: TinyModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        model = SentenceTransformer(folder, pooling=pooling)
    assert not caplog.messages
    np.testing.assert_allclose(model.encode(TEXTS), pooled(tiny, *modes), atol=2e-6)
    model.save_pretrained(tmp_path / "saved")
    saved = SentenceTransformer(tmp_path / "saved")
    assert not caplog.messages
    np.testing.assert_array_equal(saved.encode(TEXTS), model.encode(TEXTS))
    assert saved.fingerprint == model.fingerprint
    assert (saved.fingerprint == SentenceTransformer(folder).fingerprint) == (modes == ["mean"])


def test_a_prompt_that_does_not_count_is_saved(folder: Path, tmp_path: Path) -> None:
    model = SentenceTransformer(folder)
    model.set_pooling_include_prompt(False)
    model.save_pretrained(tmp_path / "saved")
    saved = SentenceTransformer(tmp_path / "saved")
    np.testing.assert_array_equal(saved.encode(TEXTS, prompt="the "), model.encode(TEXTS, prompt="the "))


def test_processes_pool_the_same(folder: Path, tiny: TinyModel) -> None:
    found = SentenceTransformer(folder, pooling="cls", num_threads=1).encode(TEXTS, device=["cpu"])
    np.testing.assert_allclose(found, pooled(tiny, "cls"), atol=2e-6)


@pytest.mark.parametrize("pooling", ["average", ["cls", "average"], [], 3, [["cls"]]], ids=str)
def test_an_unknown_mode(pooling: Any, folder: Path) -> None:
    with pytest.raises(OptionError, match=r"pooling is .*; expected one or several of 'cls'"):
        SentenceTransformer(folder, pooling=pooling)


def test_where_it_would_have_no_effect(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"modules\.json names the modules of the model; leave pooling out"):
        SentenceTransformer(tiny_folder, pooling="cls")
    with pytest.raises(OptionError, match=r"is a CrossEncoder, which does not pool"):
        CrossEncoder(ONE.save(tmp_path / "ranker"), pooling="cls")
    pooling_graph = TinyModel(graph=TinyGraph(outputs={"sentence_embedding": "mean"}))
    with pytest.raises(OptionError, match=r"pools by itself"):
        SentenceTransformer(plain(pooling_graph, tmp_path / "pooling"), pooling="cls")


def test_a_graph_that_pools_by_itself_is_not_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        SentenceTransformer(plain(TinyModel(graph=TinyGraph(outputs={"sentence_embedding": "mean"})), tmp_path))
    assert not caplog.messages
