"""What `encode` needs beyond its output does not grow with the number of texts."""

import tracemalloc

import pytest

from edge_st import SentenceTransformer
from edge_st_runtime import pipeline

_BYTES_A_TEXT = 40  # places and hashes, of 8 bytes each; less than a second copy of the vectors, of 12 floats


def peak_beyond_output(model: SentenceTransformer, texts: list[str]) -> int:
    tracemalloc.start()
    try:
        found = model.encode(texts)
        return tracemalloc.get_traced_memory()[1] - found.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kinds", [10**9, 3], ids=["distinct", "repeated"])
def test_encode(kinds: int, model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_WINDOW_TEXTS", 500)
    texts = [f"fox {number % kinds}" for number in range(12_000)]
    model.encode(texts[:1000])
    few, many = (peak_beyond_output(model, texts[:count]) for count in (2_000, 12_000))
    assert many - few < 10_000 * _BYTES_A_TEXT
