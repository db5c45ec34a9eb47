"""The real model, exported: its vectors against the original's, wherever and however they are computed."""

import os
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer as Peer

from edge_st import SentenceTransformer
from edge_st_export import ExportReport
from edge_st_export.original.texts import ALL
from edge_st_export.stack import version_of
from edge_st_runtime.machine.cpu import has_bfloat16
from tests.export.originals import cosine_min, many_texts

GATE = 0.99999
WORST_ROUNDING = 2e-6
ENGINES = ("onnx", "openvino")
#: of sentence-transformers; its ONNX backend needs optimum-onnx, which transformers 5 does not have
BACKENDS = (
    pytest.param(
        "onnx",
        marks=[
            pytest.mark.older_versions,
            pytest.mark.skipif(version_of("optimum-onnx") is None, reason="optimum-onnx is not installed"),
        ],
    ),
    pytest.param("openvino", marks=pytest.mark.older_versions),
)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return many_texts()


@pytest.fixture(scope="module")
def wanted(real: Peer, texts: list[str]) -> NDArray[np.float32]:
    return np.asarray(real.encode(texts))


@pytest.fixture(scope="module", params=ENGINES)
def model(request: pytest.FixtureRequest, real_report: ExportReport) -> SentenceTransformer:
    return SentenceTransformer(real_report.path, backend=request.param, dtype="float32")


def test_the_vectors_are_the_originals(
    model: SentenceTransformer, texts: list[str], wanted: NDArray[np.float32]
) -> None:
    assert len(set(texts)) >= 500
    assert cosine_min(model.encode(texts), wanted) >= GATE


@pytest.mark.skipif(not has_bfloat16(), reason="this CPU does not compute in bfloat16")
def test_the_default_is_bfloat16_and_lossless(
    real_report: ExportReport, texts: list[str], wanted: NDArray[np.float32]
) -> None:
    model = SentenceTransformer(real_report.path)
    assert (model.info()["engine"], model.info()["dtype"]) == ("openvino", "bfloat16")
    assert cosine_min(model.encode(texts), wanted) >= 0.9999


def test_neighbours_do_not_matter(model: SentenceTransformer, texts: list[str]) -> None:
    thousand = (texts + [f"again: {text}" for text in texts])[:1000]
    random.Random(3).shuffle(thousand)
    together = model.encode(thousand)
    for row in range(0, 1000, 25):
        np.testing.assert_allclose(model.encode(thousand[row]), together[row], atol=WORST_ROUNDING)


def test_sixteen_threads_at_once(model: SentenceTransformer) -> None:
    short = [text for text in ALL if len(text) < 60]
    alone = model.encode(short)

    def caller(number: int) -> float:
        rows = [random.Random(number * 1000 + call).randrange(len(short)) for call in range(200)]
        return max(float(np.abs(model.encode(short[row]) - alone[row]).max()) for row in rows)

    with ThreadPoolExecutor(16) as pool:
        assert max(pool.map(caller, range(16))) <= WORST_ROUNDING


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork(model: SentenceTransformer) -> None:
    wanted = model.encode(list(ALL[:20]))
    child = os.fork()
    if child == 0:
        same = False
        try:
            same = bool(np.allclose(model.encode(list(ALL[:20])), wanted, atol=WORST_ROUNDING))
        finally:
            os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_after_pickling(model: SentenceTransformer) -> None:
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(copy.encode(list(ALL[:20])), model.encode(list(ALL[:20])), atol=WORST_ROUNDING)


@pytest.mark.parametrize("engine", BACKENDS)
def test_sentence_transformers_loads_our_folder(
    engine: str, real_report: ExportReport, wanted: NDArray[np.float32], texts: list[str]
) -> None:
    peer = Peer(str(real_report.path), backend=engine, local_files_only=True, model_kwargs=_float32(engine))
    assert cosine_min(np.asarray(peer.encode(texts[:100])), wanted[:100]) >= GATE


@pytest.mark.parametrize("engine", BACKENDS)
def test_we_load_what_sentence_transformers_saves(
    engine: str, real_folder: Path, wanted: NDArray[np.float32], texts: list[str], tmp_path: Path
) -> None:
    peer = Peer(str(real_folder), backend=engine, local_files_only=True, model_kwargs={"export": True})
    peer.save_pretrained(str(tmp_path / "peer"))
    model = SentenceTransformer(tmp_path / "peer", backend=engine, dtype="float32")
    assert cosine_min(model.encode(texts[:100]), wanted[:100]) >= GATE


def _float32(engine: str) -> dict[str, Any]:
    if engine == "onnx":
        return {"provider": "CPUExecutionProvider"}
    return {"ov_config": {"INFERENCE_PRECISION_HINT": "f32"}}
