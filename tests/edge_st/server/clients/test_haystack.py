"""Haystack's components for text-embeddings-inference and for OpenAI."""

from collections.abc import Callable

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from tests.edge_st.server.clients.conftest import KEY
from tests.support.clients import Client, close, page_code

pytestmark = pytest.mark.slow
QUERY = "How warm is it?"
TEXTS = ["It is 21 degrees.", "Lunch is at noon."]
MANY = [f"the door number {number} was painted green" for number in range(100)]
REST = """
from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.utils import Secret
from haystack_integrations.components.embedders.huggingface_api import (
    HuggingFaceAPIDocumentEmbedder,
    HuggingFaceTEISparseDocumentEmbedder,
    HuggingFaceTEISparseTextEmbedder,
)
from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

key = Secret.from_token({key!r})
documents = [Document(content=f"the door number {{number}} was painted green") for number in range(100)]
where = {{"api_type": "text_embeddings_inference", "api_params": {{"url": "http://localhost:8080"}}, "token": key}}
root = HuggingFaceAPIDocumentEmbedder(**where, batch_size=100).run(documents)["documents"]
openai = {{"api_base_url": "http://localhost:8080/v1", "model": "all-MiniLM-L6-v2", "api_key": key}}
by_openai = OpenAIDocumentEmbedder(**openai, dimensions=32).run(documents)
text_by_openai = OpenAITextEmbedder(**openai).run("How warm is it?")
sparse = {{"api_base_url": "http://localhost:8080", "token": key}}
sparse_documents = HuggingFaceTEISparseDocumentEmbedder(**sparse).run(documents[:3])["documents"]
sparse_query = HuggingFaceTEISparseTextEmbedder(**sparse).run("How warm is it?")["sparse_embedding"]
ranker = HuggingFaceTEIRanker(url="http://localhost:8080", top_k=100, raw_scores=True, token=key)
ranked = ranker.run(query="How warm is it?", documents=documents)["documents"]
"""


def test_the_lines_of_the_page(
    client_of: Callable[[str], Client], address: str, dense: SentenceTransformer, cross: CrossEncoder
) -> None:
    shown = {
        "documents": "[each.embedding for each in embedded]",
        "best": "[[each.content, each.score] for each in best]",
    }
    found = client_of("Haystack").run(page_code("Haystack"), address, query="query", **shown)
    close(found["documents"], dense.encode(TEXTS, normalize_embeddings=True))
    close(found["query"], dense.encode(QUERY, normalize_embeddings=True))
    scores = cross.predict([(QUERY, text) for text in TEXTS])
    ((text, score),) = found["best"]
    assert text == TEXTS[int(np.argmax(scores))]
    close(score, np.max(scores))


def test_the_other_components_with_a_key(
    client_of: Callable[[str], Client],
    locked: str,
    dense: SentenceTransformer,
    cross: CrossEncoder,
    sparse: SparseEncoder,
) -> None:
    found = client_of("Haystack").run(
        REST.format(key=KEY),
        locked,
        root="[each.embedding for each in root]",
        by_openai='[each.embedding for each in by_openai["documents"]]',
        text_by_openai='text_by_openai["embedding"]',
        sparse="[each.sparse_embedding.to_dict() for each in sparse_documents]",
        sparse_query="sparse_query.to_dict()",
        ranked="[[each.content, each.score] for each in ranked]",
    )
    close(found["root"], dense.encode(MANY, normalize_embeddings=True))
    close(found["by_openai"], dense.encode(MANY, truncate_dim=32, normalize_embeddings=True))
    close(found["text_by_openai"], dense.encode(QUERY, normalize_embeddings=True))
    for each, row in zip([found["sparse_query"], *found["sparse"]], sparse.encode([QUERY, *MANY[:3]]), strict=True):
        assert each["indices"] == row.indices.tolist()
        close(each["values"], row.values)
    logits = cross.predict([(QUERY, text) for text in MANY], activation_fn="Identity")
    order = np.argsort(-logits, kind="stable")
    assert [text for text, _ in found["ranked"]] == [MANY[place] for place in order]
    close([score for _, score in found["ranked"]], logits[order])
