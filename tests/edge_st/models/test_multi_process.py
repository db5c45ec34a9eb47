"""Several processes give what one gives, and say what went wrong in one of them."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st_runtime.errors import OptionError, ProviderError, TextTooLongError
from tests.support.tiny_models import TinyModel
from tests.support.tiny_tokenizers import random_texts

TEXTS = [*random_texts(60), ("fox", "dog")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    folder = TinyModel(settings={"prompts": {"query": "old "}}).save(tmp_path_factory.mktemp("pool"))
    model = SentenceTransformer(folder, backend="onnx", truncation="error")
    model.max_seq_length = 60
    return model


@pytest.fixture(scope="module")
def pool(model: SentenceTransformer) -> Iterator[dict[str, Any]]:
    workers = model.start_multi_process_pool(["cpu", "cpu"])
    yield workers
    model.stop_multi_process_pool(workers)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunk_size": 7, "batch_size": 3},
        {"prompt_name": "query", "normalize_embeddings": True, "truncate_dim": 5},
        {"precision": "int8", "chunk_size": 9},
        {"precision": "ubinary"},
    ],
    ids=str,
)
def test_as_one_process(options: dict[str, Any], model: SentenceTransformer, pool: Any) -> None:
    found, expected = model.encode(TEXTS, pool=pool, **options), model.encode(TEXTS, **options)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=1 if found.dtype == np.int8 else 1e-6)


def test_other_inputs_and_outputs(model: SentenceTransformer, pool: Any) -> None:
    np.testing.assert_allclose(model.encode("fox", pool=pool), model.encode("fox"), atol=1e-6)
    assert model.encode([], pool=pool).shape == (0, 12)
    found = model.encode(TEXTS, pool=pool, output_value="token_embeddings", chunk_size=20)
    expected = model.encode(TEXTS, output_value="token_embeddings")
    for tokens, own in zip(found, expected, strict=True):
        np.testing.assert_allclose(tokens, own, atol=1e-6)


def test_errors_of_a_worker_and_work_after_them(model: SentenceTransformer, pool: Any) -> None:
    with pytest.raises(TextTooLongError, match=r"inputs\[61\] has 102 tokens, the model takes 60"):
        model.encode([*TEXTS, "fox " * 100], pool=pool, chunk_size=10)
    np.testing.assert_allclose(model.encode(TEXTS, pool=pool), model.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"truncate_dim": "x"}, {"chunk_size": 0}, {"chunk_size": -1}, {"chunk_size": 2.5}], ids=str
)
def test_wrong_options_leave_the_pool_working(wrong: dict[str, Any], model: SentenceTransformer, pool: Any) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name} must be a positive integer, got {value!r}"):
        model.encode(TEXTS, pool=pool, **wrong)
    np.testing.assert_allclose(model.encode(TEXTS, pool=pool), model.encode(TEXTS), atol=1e-6)


def test_threads_share_a_pool(model: SentenceTransformer, pool: Any) -> None:
    parts = [TEXTS[start : start + 5] for start in range(50)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda part: model.encode(part, pool=pool, chunk_size=2), parts))
    for part, vectors in zip(parts, found, strict=True):
        np.testing.assert_allclose(vectors, model.encode(part), atol=1e-6)


def test_settings_changed_after_the_start_count(model: SentenceTransformer, pool: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "truncation", "silent")
        patch.setattr(model, "max_seq_length", 4)
        cut = model.encode(TEXTS, pool=pool)
        np.testing.assert_allclose(cut, model.encode(TEXTS), atol=1e-6)
    assert np.abs(model.encode(TEXTS, pool=pool) - cut).max() > 1e-3


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_an_interrupted_call_leaves_the_pool_working_and_the_program_ending(
    model: SentenceTransformer, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED.format(folder=str(model.info()["path"])))
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "encoding\n"
        time.sleep(0.3)
        answers = _interrupted(process)
    assert answers.split() == ["interrupted", "(2,", "12)"]
    assert process.returncode == 0


def _interrupted(process: "subprocess.Popen[str]") -> str:
    """What the process says after Ctrl-C, pressed again where Python lost the first one in a destructor."""
    for _ in range(3):
        os.killpg(process.pid, signal.SIGINT)
        try:
            return process.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            continue
    os.killpg(process.pid, signal.SIGKILL)
    return "interrupts are lost"


INTERRUPTED = """
import signal
from edge_st import SentenceTransformer
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
    model = SentenceTransformer({folder!r}, backend="onnx")
    pool = model.start_multi_process_pool(["cpu", "cpu"])
    model.encode(["ready"], pool=pool)
    print("encoding", flush=True)
    try:
        while True:
            model.encode([f"the quick fox {{number}}" for number in range(5000)], pool=pool)
    except KeyboardInterrupt:
        print("interrupted", model.encode(["a", "b"], pool=pool).shape)
"""


def test_stopped_pool(model: SentenceTransformer) -> None:
    workers = model.start_multi_process_pool(["cpu"])
    model.stop_multi_process_pool(workers)
    model.stop_multi_process_pool(workers)
    with pytest.raises(ValueError, match=r"the pool was stopped"):
        model.encode(TEXTS, pool=workers)


def test_worker_that_dies(model: SentenceTransformer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    workers = model.start_multi_process_pool(["cpu"])
    try:
        workers["processes"][0].kill()
        with pytest.raises(RuntimeError, match=r"1 .* worker\(s\) died unexpectedly: pid \d+ \(exit code -9\)"):
            model.encode(TEXTS, pool=workers)
        with pytest.raises(RuntimeError, match="died unexpectedly"):
            model.encode(TEXTS, pool=workers)
    finally:
        model.stop_multi_process_pool(workers)


@pytest.mark.parametrize("devices", [[], "cpu", [3], {"cpu": 1}], ids=repr)
def test_no_devices(devices: Any, model: SentenceTransformer) -> None:
    with pytest.raises(OptionError, match=r"target_devices is .*; expected a list with one device a process"):
        model.start_multi_process_pool(devices)


def test_a_device_that_is_not_there(model: SentenceTransformer) -> None:
    workers = model.start_multi_process_pool(["foo"])
    try:
        for _ in range(2):
            with pytest.raises(OptionError, match="device is 'foo'; ONNX Runtime takes"):
                model.encode(TEXTS, pool=workers)
    finally:
        model.stop_multi_process_pool(workers)


def test_one_device_a_worker(tmp_path: Path) -> None:
    model = SentenceTransformer(TinyModel().save(tmp_path), backend="auto")
    workers = model.start_multi_process_pool(["cpu", "cuda:1"])
    try:
        with pytest.raises(ProviderError, match=r"CUDAExecutionProvider is not in this .*edge-st\[onnx-gpu\]"):
            model.encode(TEXTS, pool=workers, chunk_size=5)
    finally:
        model.stop_multi_process_pool(workers)


@pytest.mark.parametrize("pool", [3, {}, {"processes": 3}, []], ids=repr)
def test_what_is_no_pool(pool: Any, model: SentenceTransformer) -> None:
    for call in (lambda: model.encode(TEXTS, pool=pool), lambda: model.stop_multi_process_pool(pool)):
        with pytest.raises(OptionError, match=r"pool is .*; expected what start_multi_process_pool\(\) returned"):
            call()
    with pytest.raises(OptionError, match="pool is None"):
        model.stop_multi_process_pool(None)  # type: ignore[arg-type]
