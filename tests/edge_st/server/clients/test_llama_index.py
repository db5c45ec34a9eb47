"""LlamaIndex's classes for text-embeddings-inference."""

from collections.abc import Callable

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer
from tests.edge_st.server.clients.conftest import KEY
from tests.support.clients import Client, close, page_code

pytestmark = pytest.mark.slow
QUERY = "How warm is it?"
TEXTS = ["Lunch is at noon.", "It is 21 degrees."]
LOCKED = """
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference
from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

texts = [f"the door number {{number}} was painted green" for number in range(100)]
embedding = TextEmbeddingsInference(
    model_name="all-MiniLM-L6-v2", base_url="http://localhost:8080", auth_token={key!r}, embed_batch_size=100
)
vectors = embedding.get_text_embedding_batch(texts)
query = embedding.get_query_embedding("How warm is it?")
reranker = TextEmbeddingInference(base_url="http://localhost:8080", auth_token={key!r}, top_n=100)
nodes = [NodeWithScore(node=TextNode(text=text)) for text in texts]
ranked = reranker.postprocess_nodes(nodes, query_str="How warm is it?")
"""


def test_the_lines_of_the_page(
    client_of: Callable[[str], Client], address: str, dense: SentenceTransformer, cross: CrossEncoder
) -> None:
    shown = {"vectors": "vectors", "best": "[[each.node.text, each.score] for each in best]"}
    found = client_of("LlamaIndex").run(page_code("LlamaIndex"), address, **shown)
    close(found["vectors"], dense.encode(TEXTS[::-1], normalize_embeddings=True))
    scores = cross.predict([(QUERY, text) for text in TEXTS])
    ((text, score),) = found["best"]
    assert text == TEXTS[int(np.argmax(scores))]
    close([score], scores[[int(np.argmax(scores))]])


def test_a_key_and_more_texts_than_32(
    client_of: Callable[[str], Client], locked: str, dense: SentenceTransformer, cross: CrossEncoder
) -> None:
    """The class that reranks sends the key without the word Bearer."""
    shown = {"ranked": "[each.score for each in ranked]"}
    found = client_of("LlamaIndex").run(LOCKED.format(key=KEY), locked, vectors="vectors", query="query", **shown)
    texts = [f"the door number {number} was painted green" for number in range(100)]
    close(found["vectors"], dense.encode(texts, normalize_embeddings=True))
    close(found["query"], dense.encode(QUERY, normalize_embeddings=True))
    close(found["ranked"], np.sort(cross.predict([(QUERY, text) for text in texts]))[::-1])
