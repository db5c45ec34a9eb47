"""The client of huggingface_hub, which calls text-embeddings-inference at an address."""

from collections.abc import Callable

import pytest

from edge_st import SentenceTransformer
from tests.edge_st.server.clients.conftest import KEY
from tests.support.clients import Client, close, page_code

pytestmark = pytest.mark.slow
QUERY = "How warm is it?"
OTHERS = ["It is 21 degrees.", "Lunch is at noon."]
ROOT_PATH = """
from huggingface_hub import InferenceClient

client = InferenceClient(model="http://localhost:8080")
vectors = client.feature_extraction(["How warm is it?", "Is it raining?"])
cut = client.feature_extraction("a " * 900, truncate=True, truncation_direction="Left")
scores = client.sentence_similarity("How warm is it?", other_sentences=["It is 21 degrees.", "Lunch is at noon."])
"""
ERRORS = """
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

def error_of(call):
    try:
        call()
    except HfHubHTTPError as error:
        return [error.response.status_code, str(error)]

where = "http://localhost:8080/embed"
long = error_of(lambda: InferenceClient(model=where).feature_extraction("a " * 900, truncate=False))
name = error_of(lambda: InferenceClient(model=where).feature_extraction("x", prompt_name="nobody"))
"""
LOCKED = """
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

where = "http://localhost:8080/embed"
try:
    InferenceClient(model=where, token="wrong").feature_extraction("x")
except HfHubHTTPError as error:
    status = error.response.status_code
vector = InferenceClient(model=where, token={key!r}).feature_extraction("x")
"""


def test_the_lines_of_the_page(client_of: Callable[[str], Client], address: str, dense: SentenceTransformer) -> None:
    found = client_of("huggingface_hub").run(page_code("huggingface_hub"), address, vectors="vectors", scores="scores")
    vectors = dense.encode([QUERY, *OTHERS], normalize_embeddings=True)
    close(found["vectors"], vectors[:1])
    close(found["scores"], vectors[1:] @ vectors[0])


def test_the_address_of_the_server_alone(
    client_of: Callable[[str], Client], address: str, dense: SentenceTransformer
) -> None:
    shown = {"vectors": "vectors", "cut": "cut", "scores": "scores"}
    found = client_of("huggingface_hub").run(ROOT_PATH, address, **shown)
    close(found["vectors"], dense.encode([QUERY, "Is it raining?"], normalize_embeddings=True))
    close(found["cut"], dense.encode(["a " * 900], normalize_embeddings=True))
    vectors = dense.encode([QUERY, *OTHERS], normalize_embeddings=True)
    close(found["scores"], vectors[1:] @ vectors[0])


def test_errors(client_of: Callable[[str], Client], address: str) -> None:
    found = client_of("huggingface_hub").run(ERRORS, address, long="long", name="name")
    assert (found["long"][0], found["name"][0]) == (422, 422)
    assert "256" in found["long"][1]
    assert "nobody" in found["name"][1]


def test_a_wrong_key(client_of: Callable[[str], Client], locked: str, dense: SentenceTransformer) -> None:
    found = client_of("huggingface_hub").run(LOCKED.format(key=KEY), locked, status="status", vector="vector")
    assert found["status"] == 401
    close(found["vector"], dense.encode(["x"], normalize_embeddings=True))
