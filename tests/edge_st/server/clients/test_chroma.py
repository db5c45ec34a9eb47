"""Chroma: a collection on disk whose embeddings come from the server."""

from collections.abc import Callable

import numpy as np
import pytest

from edge_st import SentenceTransformer
from tests.edge_st.server.clients.conftest import KEY
from tests.support.clients import Client, close, page_code

pytestmark = pytest.mark.slow
TEXTS = ["It is 21 degrees.", "Lunch is at noon."]
QUERY = "How warm is it?"
COLLECTION = """
import chromadb
from chromadb.utils.embedding_functions import HuggingFaceEmbeddingServer

texts = [f"the door number {number} was painted green" for number in range(100)] + ["It is 21 degrees."]
embed = HuggingFaceEmbeddingServer(url="http://localhost:8080/embed", api_key_env_var="KEY")
notes = chromadb.PersistentClient("notes").create_collection("notes", embedding_function=embed)
notes.add(ids=[str(number) for number in range(len(texts))], documents=texts)
again = chromadb.PersistentClient("notes").get_collection("notes")
found = again.query(query_texts=["How warm is it?"], n_results=3)
"""


def test_the_lines_of_the_page(client_of: Callable[[str], Client], address: str, dense: SentenceTransformer) -> None:
    found = client_of("Chroma").run(page_code("Chroma"), address, vectors="[each.tolist() for each in vectors]")
    close(found["vectors"], dense.encode(TEXTS, normalize_embeddings=True))


def test_a_collection(client_of: Callable[[str], Client], locked: str, dense: SentenceTransformer) -> None:
    """It is opened again by its name alone; all texts are sent in one request."""
    shown = {"ids": "found['ids'][0]", "distances": "found['distances'][0]"}
    stored = "again.get(include=['embeddings'])['embeddings']"
    found = client_of("Chroma").run(COLLECTION, locked, {"KEY": KEY}, stored=stored, **shown)
    texts = [f"the door number {number} was painted green" for number in range(100)] + TEXTS[:1]
    vectors = dense.encode(texts, normalize_embeddings=True)
    distances = 1 - vectors @ dense.encode(QUERY, normalize_embeddings=True)
    close(found["stored"], vectors)
    assert found["ids"][0] == "100"
    close(found["distances"], np.sort(distances)[:3].astype(np.float32))
