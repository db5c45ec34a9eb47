"""The bodies of answers, as JSON Schema."""

from . import schema as s
from .schema import Schema

_VECTOR = s.array(s.NUMBER)
_CUT = {"truncated": s.described(s.array(s.COUNT), "The places of the texts that were cut; missing where none was.")}
_FACTS = {
    "class": s.TEXT,
    "loaded": s.SWITCH,
    "dimension": s.nullable(s.COUNT),
    "labels": s.nullable(s.COUNT),
    "max_input_length": s.nullable(s.COUNT),
    "engine": s.nullable(s.TEXT),
    "dtype": s.nullable(s.TEXT),
    "fingerprint": s.nullable(s.TEXT),
    "prompts": s.nullable({"type": "object", "additionalProperties": s.TEXT}),
    "aliases": s.array(s.TEXT),
}
_MODEL = s.answer({"id": s.TEXT, "object": s.TEXT, "created": s.COUNT, "owned_by": s.TEXT, **_FACTS})
_LABEL = s.answer({"score": s.NUMBER, "label": s.TEXT})
_TOKEN = s.answer(
    {"id": s.COUNT, "text": s.TEXT, "special": s.SWITCH, "start": s.nullable(s.COUNT), "stop": s.nullable(s.COUNT)}
)
_DETAILS = {"type": "object"}


def answer_schemas() -> dict[str, Schema]:
    """The schema of each body by its name."""
    return {**_embeddings(), **_scores(), **_listings(), **_errors()}


def _embeddings() -> dict[str, Schema]:
    embedding = s.any_of(_VECTOR, s.described(s.TEXT, "base64 of the bytes, the lowest of each number first."))
    item = s.answer({"object": s.TEXT, "index": s.COUNT, "embedding": embedding})
    usage = s.answer({"prompt_tokens": s.COUNT, "total_tokens": s.COUNT})
    weights = s.array(s.answer({"index": s.COUNT, "value": s.NUMBER}))
    durations = {"total_duration": s.described(s.COUNT, "Nanoseconds."), "prompt_eval_count": s.COUNT}
    return {
        "Embeddings": s.answer({"object": s.TEXT, "data": s.array(item), "model": s.TEXT, "usage": usage}, _CUT),
        "Vectors": s.array(_VECTOR),
        "TokenVectors": s.array(s.array(_VECTOR)),
        "SparseVectors": s.array(weights),
        "Similarities": _VECTOR,
        "Tokens": s.array(s.array(_TOKEN)),
        "Texts": s.array(s.TEXT),
        "OllamaEmbeddings": s.answer({"model": s.TEXT, "embeddings": s.array(_VECTOR)}, {**durations, **_CUT}),
        "OllamaEmbedding": s.answer({"embedding": _VECTOR}, _CUT),
        "Vector": s.answer({"text": s.TEXT, "vector": _VECTOR, "dim": s.COUNT}, _CUT),
        "ManyVectors": s.answer({"vectors": s.array(_VECTOR), "dims": s.COUNT}, _CUT),
    }


def _scores() -> dict[str, Schema]:
    document = {"document": s.answer({"text": s.TEXT})}
    result = s.answer({"index": s.COUNT, "relevance_score": s.NUMBER}, document)
    rank = s.answer({"index": s.COUNT, "score": s.NUMBER}, {"text": s.TEXT})
    scored = s.answer({"document": s.TEXT, "score": s.NUMBER})
    usage = s.answer({"total_tokens": s.COUNT})
    return {
        "Ranks": s.array(rank),
        "Results": s.answer({"id": s.TEXT, "model": s.TEXT, "results": s.array(result), "usage": usage}, _CUT),
        "Scores": s.answer({"query": s.TEXT, "scores": s.array(scored)}, _CUT),
        "Predictions": s.any_of(s.array(_LABEL), s.array(s.array(_LABEL))),
    }


def _listings() -> dict[str, Schema]:
    tag = s.answer(
        {
            "name": s.TEXT,
            "model": s.TEXT,
            "modified_at": s.TEXT,
            "size": s.COUNT,
            "digest": s.TEXT,
            "details": _DETAILS,
        }
    )
    return {
        "Model": _MODEL,
        "Models": s.answer({"object": s.TEXT, "data": s.array(_MODEL)}),
        "Info": s.answer(
            {
                "model_id": s.TEXT,
                "model_dtype": s.TEXT,
                "model_type": {"type": "object"},
                "max_input_length": s.COUNT,
                "max_client_batch_size": s.COUNT,
                "auto_truncate": s.SWITCH,
                "version": s.TEXT,
                "edge_st_version": s.TEXT,
                "fingerprint": s.nullable(s.TEXT),
            }
        ),
        "OllamaModels": s.answer({"models": s.array(tag)}),
        "OllamaModel": s.answer(
            {"details": _DETAILS, "model_info": {"type": "object"}, "capabilities": s.array(s.TEXT)}
        ),
        "Version": s.answer({"version": s.TEXT}),
        "Meta": s.answer({"model": s.TEXT, **_FACTS, "edge_st_version": s.TEXT}),
        "Status": {"type": "object"},
    }


def _errors() -> dict[str, Schema]:
    error = s.answer(
        {"message": s.TEXT, "type": s.TEXT, "param": s.nullable(s.TEXT), "code": s.nullable(s.TEXT)},
    )
    return {
        "OpenAIError": s.answer({"error": error}),
        "CohereError": s.answer({"message": s.TEXT, "error": error}),
        "TEIError": s.answer({"error": s.TEXT, "error_type": s.TEXT}),
        "PlainError": s.answer({"error": s.TEXT}),
    }
