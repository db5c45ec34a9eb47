"""What is done at each path: the bodies of its requests and answers by their schemas, with examples."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import schema as s
from .schema import Schema

_QUERY, _PASSAGES = "How warm is it?", ["The sun shines.", "Bread is baked from flour."]
_PAIR = [_QUERY, _PASSAGES[0]]
_DOCUMENTS = {"query": _QUERY, "documents": _PASSAGES}
_EMBED, _RERANK = {"inputs": _PASSAGES}, {"query": _QUERY, "texts": _PASSAGES}


class Operation(NamedTuple):
    """A POST: its ``requests``, ``answers`` and ``errors`` are names of schemas, of which it has one or several."""

    summary: str
    tag: str
    requests: tuple[str, ...]
    answers: tuple[str, ...]
    errors: tuple[str, ...]
    examples: Mapping[str, Any]


class Listing(NamedTuple):
    """A GET, which is answered with the schema ``answer``, or with nothing but its status."""

    summary: str
    tag: str
    answer: str | None
    error: str
    status: int = 200
    parameter: str | None = None


_OPENAI, _TEI, _COHERE, _OLLAMA, _WEAVIATE = (
    "OpenAI",
    "text-embeddings-inference",
    "Cohere and Jina",
    "Ollama",
    "Weaviate",
)
_EMBEDDINGS = Operation(
    "Embeddings of texts, normalized.",
    _OPENAI,
    ("EmbeddingsRequest",),
    ("Embeddings",),
    ("OpenAIError",),
    {"texts": {"input": _PASSAGES}, "query": {"input": _QUERY, "input_type": "query", "encoding_format": "base64"}},
)
_RESULTS = Operation(
    "Documents by their relevance to a query, the best first.",
    _COHERE,
    ("DocumentsRerankRequest", "TextsRerankRequest"),
    ("Results", "Ranks"),
    ("CohereError", "TEIError"),
    {"documents": {**_DOCUMENTS, "top_n": 1}},
)
_DEFAULT = Operation(
    "What the keys of the body ask for; `inputs` alone is what the model gives.",
    _TEI,
    (
        "DefaultEmbeddingsRequest",
        "DefaultTextsRerankRequest",
        "DefaultDocumentsRerankRequest",
        "DefaultSimilarityRequest",
        "DefaultEmbedRequest",
    ),
    ("Embeddings", "Ranks", "Results", "Similarities", "Vectors", "SparseVectors", "Predictions"),
    ("TEIError", "OpenAIError", "CohereError", "PlainError"),
    {"inputs": _EMBED},
)


def _tei(summary: str, request: str, answer: str, **examples: Any) -> Operation:
    return Operation(summary, _TEI, (request,), (answer,), ("TEIError",), examples)


def _ollama(summary: str, request: str, answer: str, **examples: Any) -> Operation:
    return Operation(summary, _OLLAMA, (request,), (answer,), ("PlainError",), examples)


OPERATIONS: Mapping[str, Operation] = {
    "/v1/embeddings": _EMBEDDINGS,
    "/embeddings": _EMBEDDINGS,
    "/embed": _tei("Embeddings of texts.", "EmbedRequest", "Vectors", texts=_EMBED),
    "/embed_all": _tei("Embeddings of each token of texts.", "EmbedAllRequest", "TokenVectors", texts=_EMBED),
    "/embed_sparse": _tei("Sparse embeddings of texts.", "EmbedSparseRequest", "SparseVectors", texts=_EMBED),
    "/similarity": _tei(
        "The cosine of a sentence with others.",
        "SimilarityRequest",
        "Similarities",
        sentences={"inputs": {"source_sentence": _QUERY, "sentences": _PASSAGES}},
    ),
    "/predict": _tei(
        "The labels of pairs, the best first.",
        "PredictRequest",
        "Predictions",
        pair={"inputs": _PAIR},
        pairs={"inputs": [_PAIR], "raw_scores": True},
    ),
    "/tokenize": _tei("The tokens of texts.", "TokenizeRequest", "Tokens", texts=_EMBED),
    "/decode": _tei("The texts of tokens.", "DecodeRequest", "Texts", ids={"ids": [[5, 6], [7]]}),
    "/rerank": Operation(
        "Texts by their relevance to a query, in the shape of text-embeddings-inference, Cohere or Weaviate.",
        _TEI,
        ("TextsRerankRequest", "DocumentsRerankRequest", "PropertyRerankRequest"),
        ("Ranks", "Results", "Scores"),
        ("TEIError", "CohereError", "PlainError"),
        {"texts": _RERANK, "documents": _DOCUMENTS, "property": {**_DOCUMENTS, "property": ""}},
    ),
    "/v1/rerank": _RESULTS,
    "/v2/rerank": _RESULTS,
    "/api/embed": _ollama(
        "Embeddings of texts, normalized.", "OllamaEmbedRequest", "OllamaEmbeddings", texts={"input": _PASSAGES}
    ),
    "/api/embeddings": _ollama(
        "The embedding of a text.", "OllamaEmbeddingsRequest", "OllamaEmbedding", text={"prompt": _QUERY}
    ),
    "/api/show": _ollama("What a model is.", "OllamaShowRequest", "OllamaModel", default={}),
    "/vectors": Operation(
        "The embedding of a text, or of several.",
        _WEAVIATE,
        ("VectorsRequest", "ManyVectorsRequest"),
        ("Vector", "ManyVectors"),
        ("PlainError",),
        {
            "query": {"text": _QUERY, "config": {"pooling_strategy": "masked_mean", "task_type": "query"}},
            "passages": {"texts": _PASSAGES, "config": {"pooling_strategy": "masked_mean", "task_type": "passage"}},
        },
    ),
    "/invocations": _DEFAULT,
    "/": _DEFAULT,
}

LISTINGS: Mapping[str, Listing] = {
    "/v1/models": Listing("The models that are served.", _OPENAI, "Models", "OpenAIError"),
    "/v1/models/{name}": Listing("One of them.", _OPENAI, "Model", "OpenAIError", parameter="name"),
    "/info": Listing("What the service is.", _TEI, "Info", "TEIError"),
    "/health": Listing("Whether the process lives.", _TEI, "Status", "TEIError"),
    "/ready": Listing("Whether requests are answered now.", _TEI, "Status", "TEIError"),
    "/api/tags": Listing("The models that are served.", _OLLAMA, "OllamaModels", "PlainError"),
    "/api/version": Listing("The version.", _OLLAMA, "Version", "PlainError"),
    "/meta": Listing("What the first embedding model is.", _WEAVIATE, "Meta", "PlainError"),
    "/.well-known/live": Listing("Whether the process lives.", _WEAVIATE, None, "PlainError", 204),
    "/.well-known/ready": Listing("Whether requests are answered now.", _WEAVIATE, None, "PlainError", 204),
}


def default_schemas(requests: Mapping[str, Schema]) -> dict[str, Schema]:
    """The schemas of what the default paths take, where the first key that is there decides."""
    absent = {
        "EmbeddingsRequest": (),
        "TextsRerankRequest": ("input",),
        "DocumentsRerankRequest": ("input",),
        "SimilarityRequest": ("input", "query"),
        "EmbedRequest": ("input", "query"),
    }
    return {
        f"Default{name}": {
            **requests[name],
            "properties": {**requests[name]["properties"], **dict.fromkeys(names, s.NOTHING)},
        }
        for name, names in absent.items()
    }
