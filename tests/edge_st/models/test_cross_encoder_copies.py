"""A CrossEncoder in threads, in processes, through pickle and on disk: the same scores everywhere."""

import json
import logging
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder
from edge_st_runtime.errors import OptionError, TextTooLongError
from tests.support.tiny_models import LIMIT
from tests.support.tiny_pair_models import TinyCrossEncoder
from tests.support.tiny_tokenizers import random_texts

TEXTS = [text for text in random_texts(70) if text]
PAIRS = list(zip(TEXTS, reversed(TEXTS), strict=True))
TINY = TinyCrossEncoder()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY.save(tmp_path_factory.mktemp("copies"))


@pytest.fixture(scope="module")
def model(folder: Path) -> CrossEncoder:
    return CrossEncoder(folder, backend="onnx", num_threads=2)


@pytest.fixture(scope="module")
def pool(folder: Path) -> Iterator[dict[str, Any]]:
    lent = CrossEncoder(folder, backend="onnx", activation_fn=lambda logits: logits)  # it need not be picklable
    workers = lent.start_multi_process_pool(["cpu", "cpu"])
    yield workers
    lent.stop_multi_process_pool(workers)


def test_many_threads(folder: Path, engine: str) -> None:
    model = CrossEncoder(folder, backend=engine, num_threads=2)
    calls = [PAIRS[start : start + size] for start in range(0, 60, 4) for size in (1, 9, 30)]
    with ThreadPoolExecutor(12) as threads:
        for inputs, found in zip(calls, threads.map(model.predict, calls), strict=True):
            np.testing.assert_allclose(found, TINY.scores(inputs), atol=2e-6)
        ranked = list(threads.map(lambda text: model.rank(text[:20], TEXTS), TEXTS[:8]))
    assert ranked == [model.rank(text[:20], TEXTS) for text in TEXTS[:8]]


def test_pickle(folder: Path, engine: str) -> None:
    model = CrossEncoder(folder, backend=engine, activation_fn="tanh", truncation="warn", max_length=9)
    model.prompts["mine"] = "sea "
    copy = pickle.loads(pickle.dumps(model))
    assert copy.info() == model.info()
    assert (copy.truncation, copy.max_length, copy.prompts) == ("warn", 9, {"mine": "sea "})
    np.testing.assert_allclose(copy.predict(PAIRS), model.predict(PAIRS), atol=1e-6)
    assert len(pickle.dumps(model)) < 3000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_scores_as_its_parent(folder: Path, run_forked: Any) -> None:
    script = "from edge_st import CrossEncoder as Model; call = lambda model: model.predict([('fox', 'dog')] * 40)"
    parent, child = run_forked(script, folder, "onnx")
    np.testing.assert_allclose(parent, np.repeat(TINY.scores([("fox", "dog")]), 40), atol=2e-6)
    np.testing.assert_allclose(child, parent, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunk_size": 7, "batch_size": 2},
        {"prompt": "old "},
        {"apply_softmax": True},
        {"activation_fn": lambda logits: logits - 1},
    ],
    ids=["plain", "chunks", "prompt", "softmax", "activation"],
)
def test_processes(options: dict[str, Any], model: CrossEncoder, pool: Any) -> None:
    found = model.predict(PAIRS, pool=pool, **options)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, model.predict(PAIRS, **options), atol=1e-6)


def test_processes_and_other_inputs(model: CrossEncoder, pool: Any) -> None:
    np.testing.assert_allclose(model.predict(("fox", "dog"), pool=pool), model.predict(("fox", "dog")), atol=1e-6)
    assert model.predict([], pool=pool).shape == (0,)
    ranked = model.rank("the fox", TEXTS, pool=pool, chunk_size=9, top_k=5)
    assert [row["corpus_id"] for row in ranked] == [row["corpus_id"] for row in model.rank("the fox", TEXTS, top_k=5)]


def test_processes_and_a_pair_that_is_too_long(folder: Path, pool: Any) -> None:
    model = CrossEncoder(folder, backend="onnx", truncation="error")
    with pytest.raises(TextTooLongError, match=rf"inputs\[30\] has 43 tokens, the model takes {LIMIT}"):
        model.predict([("fox", "dog")] * 30 + [("fox " * 20, "dog " * 20)], pool=pool, chunk_size=5)


def test_another_device(model: CrossEncoder) -> None:
    with pytest.raises(OptionError, match="device='cuda', but the model is on 'cpu'"):
        model.predict(PAIRS, device="cuda")


@pytest.mark.parametrize("own", [False, True], ids=["elsewhere", "its own folder"])
def test_settings_are_saved(own: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = TinyCrossEncoder(settings={"kept": 1, "prompts": {"query": "old "}}).save(tmp_path / "model")
    model = CrossEncoder(folder, backend="onnx", activation_fn="tanh", max_length=11)
    model.prompts["query"] = "search: "
    model.default_prompt_name = "query"
    target = folder if own else tmp_path / "copy"
    model.save_pretrained(target)
    settings = json.loads((target / "config_sentence_transformers.json").read_text())
    assert (settings["kept"], settings["activation_fn"]) == (1, "torch.nn.modules.activation.Tanh")
    saved = CrossEncoder(target, backend="onnx")
    assert (saved.max_length, saved.default_prompt_name) == (11, "query")
    assert saved.fingerprint == model.fingerprint
    assert caplog.records == []
    np.testing.assert_allclose(saved.predict(PAIRS), model.predict(PAIRS), atol=1e-6)


def test_nothing_changed_is_an_exact_copy(folder: Path, model: CrossEncoder, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "copy")
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert sorted(path.relative_to(tmp_path / "copy") for path in tmp_path.rglob("*") if path.is_file()) == names
    for name in names:
        assert (tmp_path / "copy" / name).read_bytes() == (folder / name).read_bytes()


def test_an_activation_that_no_folder_can_keep(folder: Path, tmp_path: Path) -> None:
    model = CrossEncoder(folder, backend="onnx", activation_fn=lambda logits: logits)
    with pytest.raises(
        OptionError, match=r"activation_fn is .*lambda.*, which no folder can keep; set one by its name"
    ):
        model.save_pretrained(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    model.activation_fn = "identity"
    model.save_pretrained(tmp_path / "copy")
    assert CrossEncoder(tmp_path / "copy", backend="onnx").info()["activation_fn"] == "torch.nn.modules.linear.Identity"


def test_info(model: CrossEncoder, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        info = json.loads(json.dumps(model.info()))
    assert (info["num_labels"], info["activation_fn"], info["max_seq_length"]) == (
        1,
        "torch.nn.modules.activation.Sigmoid",
        LIMIT,
    )
    assert repr(model).startswith("CrossEncoder('")
