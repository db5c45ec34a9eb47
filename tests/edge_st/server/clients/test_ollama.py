"""Ollama's client for Python."""

from collections.abc import Callable

import numpy as np
import pytest

from edge_st import SentenceTransformer
from tests.edge_st.server.clients.conftest import BUNDLED
from tests.support.clients import Client, close, page_code

pytestmark = pytest.mark.slow
TEXTS = ["How warm is it?", "Is it raining?"]
REST = """
import ollama

client = ollama.Client(host="http://localhost:8080")
name = "all-MiniLM-L6-v2"
one = client.embed(model=name, input="How warm is it?", options={"num_ctx": 256}, keep_alive="5m")
narrow = client.embed(model=name, input=["How warm is it?"], dimensions=32)
old = client.embeddings(model=name, prompt="How warm is it?")
loaded = client.embed(model=name)
models = client.list().models
shown = client.show(name)

def error_of(**options):
    try:
        client.embed(**options)
    except ollama.ResponseError as error:
        return [error.status_code, error.error]

unknown = error_of(model="nobody", input="x")
long = error_of(model=name, input="a " * 900, truncate=False)
"""


def test_the_lines_of_the_page(client_of: Callable[[str], Client], address: str, dense: SentenceTransformer) -> None:
    found = client_of("Ollama").run(page_code("Ollama"), address, vectors="vectors")
    close(found["vectors"], dense.encode(TEXTS, normalize_embeddings=True))


def test_the_rest(client_of: Callable[[str], Client], address: str, dense: SentenceTransformer) -> None:
    found = client_of("Ollama").run(
        REST,
        address,
        **{name: name for name in ("unknown", "long")},
        one="one.embeddings",
        count="one.prompt_eval_count",
        nanoseconds="one.total_duration",
        narrow="narrow.embeddings",
        old="old.embedding",
        loaded="loaded.embeddings",
        models="{each.model: [each.size, each.digest, each.details.format] for each in models}",
        modified="[each.modified_at.year for each in models]",
        capabilities="shown.capabilities",
        width='shown.modelinfo["bert.embedding_length"]',
    )
    expected = dense.encode(TEXTS[:1], normalize_embeddings=True)
    close(found["one"], expected)
    close(found["narrow"], dense.encode(TEXTS[:1], truncate_dim=32, normalize_embeddings=True))
    close(found["old"], dense.encode(TEXTS[0]))
    assert found["count"] == int(np.sum(dense.count_tokens(TEXTS[:1])))
    assert 0 < found["nanoseconds"] < 60e9
    assert found["loaded"] == []
    assert found["models"].keys() == {"all-MiniLM-L6-v2", BUNDLED, "reranker", "splade"}
    size, digest, form = found["models"]["all-MiniLM-L6-v2"]
    assert (size > 20_000_000, digest, form) == (True, dense.fingerprint, "onnx")
    assert min(found["modified"]) > 2000
    assert (found["capabilities"], found["width"]) == (["embedding"], 384)
    assert found["unknown"][0] == 404
    assert "there is no model 'nobody'" in found["unknown"][1]
    assert found["long"][0] == 400
    assert "256" in found["long"][1]
