"""The numbers are those of the requests that were made."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from edge_st import SentenceTransformer
from edge_st.server.config import Config
from edge_st.server.histograms import ManyHistogram
from edge_st.server.metrics import Metrics
from edge_st.server.record import Record
from tests.support.exposition import Numbers, numbers
from tests.support.small_service import FAILS, MODEL

#: the names that text-embeddings-inference has, with their types
TEI = {
    **dict.fromkeys(
        ("te_request_count", "te_request_success", "te_request_failure", "te_embed_count", "te_embed_success"),
        "counter",
    ),
    **dict.fromkeys(("te_predict_count", "te_predict_success"), "counter"),
    **{
        f"te_{kind}_{part}duration": "histogram"
        for kind in ("request", "embed", "predict")
        for part in ("", "tokenization_", "queue_", "inference_")
    },
    **dict.fromkeys(("te_request_input_length", "te_batch_next_size", "te_batch_next_tokens"), "histogram"),
    "te_queue_size": "gauge",
}


def scraped(client: TestClient) -> Numbers:
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return numbers(answer.text)


def test_requests_are_counted(client_of: Callable[[Config], TestClient]) -> None:
    client = client_of(Config())
    texts = ["a", "a longer text", "one more text that is longer still"]
    for body in ("a text", texts, texts[:2]):
        assert client.post("/embed", json={"inputs": body}).status_code == 200
    assert client.post("/v1/embeddings", json={"inputs": ["a", FAILS]}).status_code == 424
    assert client.post("/nowhere/1", json={}).status_code == 404
    assert client.get("/v1/models/one").status_code == 200
    found = scraped(client)
    counts = np.array(SentenceTransformer().count_tokens(["a text", *texts, *texts[:2]]))

    assert found.of("te_request_count", method="single") == 1
    assert found.of("te_request_count", method="batch") == 3
    assert found.of("te_request_success", method="batch") == 2
    assert found.of("te_request_failure", err="inference") == 1
    assert found.of("te_request_duration_count") == 3
    assert found.of("te_request_inference_duration_count") == 3
    assert found.of("te_embed_count") == 8
    assert found.of("te_embed_success") == 6
    assert found.of("te_embed_duration_count") == 6
    assert found.of("te_predict_count") == 0
    assert found.of("te_request_input_length_count") == 6
    assert found.of("te_request_input_length_sum") == counts.sum()
    for bound in (1, 2, 4, 8, 16):
        assert found.of("te_request_input_length_bucket", le=f"{bound}.0") == (counts <= bound).sum()
    assert found.of("te_batch_next_size_count") == 3
    assert found.of("te_batch_next_size_sum") == 6
    assert found.of("te_batch_next_tokens_sum") == counts.sum()
    assert found.of("edge_st_texts_total", model=MODEL) == 6
    assert found.of("edge_st_tokens_total", model=MODEL) == counts.sum()
    assert found.of("edge_st_cache_misses_total", model=MODEL) == 6
    assert found.of("edge_st_batch_texts_sum", model=MODEL) == 6
    assert found.of("edge_st_batch_tokens_count", model=MODEL) == 3
    request = {"key": "", "model": MODEL}
    assert found.of("edge_st_requests_total", **request, path="/embed", status="200") == 3
    assert found.of("edge_st_requests_total", **request, path="/v1/embeddings", status="424") == 1
    none = {"key": "", "model": ""}
    assert found.of("edge_st_requests_total", **none, path="other", status="404") == 1
    assert found.of("edge_st_requests_total", **none, path="/v1/models/{name}", status="200") == 1
    assert 0 < found.of("te_request_inference_duration_sum") <= found.of("te_request_duration_sum") < 5


def test_what_waits_now_and_what_is_loaded_is_asked_at_each_scrape() -> None:
    queue, loaded = {"a": (2, 30), "b": (1, 5)}, {"a": True, "b": False}
    metrics = Metrics(lambda: queue, lambda: loaded)
    found = numbers(metrics.exposition().decode())
    assert found.of("te_queue_size") == 3
    assert found.of("edge_st_queue_texts", model="a") == 2
    assert found.of("edge_st_queue_tokens", model="b") == 5
    assert found.of("edge_st_model_loaded", model="a") == 1
    assert found.of("edge_st_model_loaded", model="b") == 0
    queue["a"], loaded["b"] = (0, 0), True
    found = numbers(metrics.exposition().decode())
    assert found.of("te_queue_size") == 1
    assert found.of("edge_st_queue_tokens", model="a") == 0
    assert found.of("edge_st_model_loaded", model="b") == 1


def test_names_and_types_are_those_of_text_embeddings_inference() -> None:
    metrics = Metrics()
    metrics.answered(path="/", method="single", status=429, failure="overloaded", model=None, key=None, seconds=1)
    lines = metrics.exposition().decode().splitlines()
    types = dict(line.split()[2:] for line in lines if line.startswith("# TYPE te_"))
    assert types == TEI
    assert 'te_request_failure{err="overloaded"} 1.0' in lines
    assert not any("_created" in line for line in lines)


def test_pairs_are_predictions_and_shares_of_the_cache_are_counted() -> None:
    metrics = Metrics()
    record = Record(operation="rerank", model="m", texts=4, tokens=40, truncated=2, cached=3, lengths=[10] * 4)
    record.tokenization, record.queue, record.inference = 0.1, 0.2, 0.4
    metrics.computed(record, 0.8)
    found = numbers(metrics.exposition().decode())
    assert (found.of("te_predict_count"), found.of("te_predict_success"), found.of("te_embed_count")) == (4, 4, 0)
    assert found.of("te_predict_queue_duration_sum") == pytest.approx(0.8)  # of each pair
    assert found.of("te_request_queue_duration_sum") == pytest.approx(0.2)
    assert found.of("te_predict_duration_sum") == pytest.approx(3.2)
    assert found.of("edge_st_cut_texts_total", model="m") == 2
    assert found.of("edge_st_cache_hits_total", model="m") == 3
    assert found.of("edge_st_cache_misses_total", model="m") == 1


def test_two_applications_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.batch(model="m", texts=1, tokens=2)
    assert b"te_batch_next_size_count 1.0" in first.exposition()
    assert b"te_batch_next_size_count 0.0" in second.exposition()


def test_many_values_at_once_are_as_one_after_the_other() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.exponential(10, 1000), [1, 2, 4, 0, 1e9]])
    bounds = (1, 2, 4, 8, 16)
    one, many, times = (ManyHistogram(name, "", buckets=bounds, registry=None) for name in ("one", "many", "times"))
    for value in values:
        one.observe(value)
        times.observe_times(value, 3)
    many.observe_all(values.tolist())
    expected, found, tripled = ([s.value for s in next(iter(h.collect())).samples[:-1]] for h in (one, many, times))
    assert found == pytest.approx(expected)
    assert tripled == pytest.approx([3 * value for value in expected])


_WORKER = """
import sys
from edge_st.server.metrics import Metrics
from edge_st.server.record import Record

metrics = Metrics(lambda: {"m": (2, 10)}, lambda: {"m": True})
metrics.answered(path="/embed", method="single", status=200, failure=None, model="m", key="k", seconds=0.5)
metrics.computed(Record(operation="embeddings", model="m", texts=3, tokens=9, lengths=[3, 3, 3]), 0.5)
metrics.refresh()
print("ready", flush=True)
sys.stdin.readline()
print(metrics.exposition().decode())
"""


def test_processes_show_the_numbers_of_all(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _WORKER]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    first, second = workers
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        found = numbers(first.communicate("\n", timeout=20)[0])
        after = numbers(second.communicate("\n", timeout=20)[0])
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    for each in (found, after):
        assert each.of("te_request_count", method="single") == 2
        assert each.of("te_embed_count") == 6
        assert each.of("te_request_input_length_sum") == 18
        assert each.of("te_embed_duration_bucket", le="+Inf") == 6
    assert found.of("te_queue_size") == 4
    assert found.of("edge_st_model_loaded", model="m") == 2
    assert found.of("edge_st_resident_memory_bytes", pid=str(second.pid)) > 2**20
    # the first one has ended
    assert after.of("te_queue_size") == 2
    assert after.of("edge_st_model_loaded", model="m") == 1
    assert after.of("edge_st_resident_memory_bytes", pid=str(first.pid)) == 0
