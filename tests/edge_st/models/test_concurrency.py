"""One model called from many threads, and models that went through pickle."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from edge_st import SentenceTransformer
from tests.support.tiny_models import TinyModel
from tests.support.tiny_tokenizers import random_texts

TEXTS = random_texts(200)


def test_many_threads(model: SentenceTransformer) -> None:
    calls: list[Any] = [TEXTS[start : start + size] for start in range(0, 160, 5) for size in (1, 7, 40)]
    calls += TEXTS[:96]
    serial = [model.encode(inputs) for inputs in calls]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(model.encode, calls))
    for found, expected in zip(together, serial, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_pickled_model_keeps_its_settings(engine: str, tmp_path: Path) -> None:
    settings = {"prompts": {"query": "old "}, "similarity_fn_name": "dot"}
    folder = TinyModel(settings=settings).save(tmp_path)
    model = SentenceTransformer(folder, backend=engine, num_threads=1, truncate_dim=7, truncation="warn")
    model.max_seq_length = 9
    model.set_pooling_include_prompt(False)
    model.prompts["mine"] = "sea "
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(copy.encode_query(TEXTS), model.encode_query(TEXTS), atol=1e-6)
    assert copy.info() == model.info()
    assert copy.prompts == model.prompts
    assert (copy.truncate_dim, copy.truncation, copy.similarity_fn_name) == (7, "warn", "dot")


def test_pickle_holds_no_weights(model: SentenceTransformer) -> None:
    model.encode(TEXTS)
    assert len(pickle.dumps(model)) < 3000


def test_pickle_of_a_relative_path_loads_in_another_folder(tiny_folder: Path, tmp_path: Path) -> None:
    make = "import pickle, sys; from edge_st import SentenceTransformer; "
    script = make + "pickle.dump(SentenceTransformer(sys.argv[1], backend='onnx'), open(sys.argv[2], 'wb'))"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", script, tiny_folder.name, str(tmp_path / "model.pickle")]
    subprocess.run(command, check=True, cwd=tiny_folder.parent, env=environment, timeout=60)
    copy = pickle.loads((tmp_path / "model.pickle").read_bytes())
    np.testing.assert_allclose(copy.encode(TEXTS), SentenceTransformer(tiny_folder).encode(TEXTS), atol=1e-6)
