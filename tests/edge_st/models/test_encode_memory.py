"""What `encode` needs beyond its output hardly grows with the number of texts."""

import tracemalloc

import pytest

from edge_st import SentenceTransformer
from edge_st_runtime.text import windows

_BYTES_A_TEXT = 200  # places and hashes, of 8 bytes each; a second copy of the vectors would be 1024


def peak_beyond_output(model: SentenceTransformer, texts: list[str]) -> int:
    tracemalloc.start()
    try:
        found = model.encode(texts)
        return tracemalloc.get_traced_memory()[1] - found.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kinds", [10**9, 3], ids=["distinct", "repeated"])
def test_encode(kinds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_WINDOW_TEXTS", 500)
    model = SentenceTransformer()
    assert model.get_embedding_dimension() == 256
    texts = [f"fox {number % kinds}" for number in range(22_000)]
    model.encode(texts[:1000])
    few, many = (peak_beyond_output(model, texts[:count]) for count in (12_000, 22_000))
    assert many - few < 10_000 * _BYTES_A_TEXT
