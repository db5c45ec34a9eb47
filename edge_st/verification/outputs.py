"""The public outputs of a model by name. A model and its original are asked for them in the same way."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..models.classes import Model
from ..models.cross_encoder import CrossEncoder
from ..models.encoder import Encoder
from ..models.multi_vector_encoder import MultiVectorEncoder
from ..models.sentence_transformer import SentenceTransformer

#: computes an output of a model for texts or pairs
Output: TypeAlias = Callable[[Any, list[Any]], Any]
Outputs: TypeAlias = dict[str, Output]
#: a small batch: the original pads a batch to its longest text, which takes much memory for long texts
_FEW = 4
_ENOUGH_FOR_RANGES = 100
QUANTIZED, TOKENS = ("int8", "binary"), "token embeddings"
_QUIET = {"batch_size": _FEW, "show_progress_bar": False}


def outputs_of(model: Model, prompts: Mapping[str, str | None], *, fine: bool) -> Outputs:
    """The outputs of ``model``, plain vectors or logits first. ``prompts`` are those of the original.

    Without ``fine``, token embeddings and quantized vectors are left out: rounding changes them most.
    """
    if isinstance(model, CrossEncoder):
        return _of_cross_encoder(model, prompts)
    if isinstance(model, SentenceTransformer):
        return _of_sentence_transformer(model, prompts, fine=fine)
    if isinstance(model, MultiVectorEncoder):
        return _of_multi_vector_encoder(model, prompts)
    return _of_encoder(
        model, prompts, {"8 active dimensions": {"max_active_dims": 8}}, {"convert_to_sparse_tensor": False}
    )


def _of_encoder(
    model: Encoder,
    prompts: Mapping[str, str | None],
    more: Mapping[str, Mapping[str, Any]],
    always: Mapping[str, Any],
) -> Outputs:
    task = {"task": model.tasks[0], **always}
    tasks = [name for name in model.tasks if name is not None]
    options: dict[str, Mapping[str, Any]] = {
        "embeddings": {},
        **more,
        **{f"prompt {name!r}": {"prompt_name": name} for name in _named(model, prompts)},
        **{f"task {name!r}": {"task": name} for name in tasks},
    }
    outputs: Outputs = {name: _encode("encode", {**task, **given}) for name, given in options.items()}
    if model.tasks[0] is None:
        outputs["similarity"] = _similarity
    methods = [method for method in ("encode_query", "encode_document") if _takes(model, method)]
    return outputs | {method: _encode(method, always) for method in methods}


def _of_sentence_transformer(model: SentenceTransformer, prompts: Mapping[str, str | None], *, fine: bool) -> Outputs:
    half = max(1, model.get_embedding_dimension() // 2)
    more = {"truncated and normalized": {"truncate_dim": half, "normalize_embeddings": True}}
    outputs = _of_encoder(model, prompts, more, {})
    if not fine:
        return outputs
    task = {"task": model.tasks[0]}
    outputs |= {precision: _repeated(_encode("encode", {**task, "precision": precision})) for precision in QUANTIZED}
    if model.has_token_embeddings:
        outputs[TOKENS] = _encode("encode", {**task, "output_value": "token_embeddings"})
    return outputs


def _of_multi_vector_encoder(model: MultiVectorEncoder, prompts: Mapping[str, str | None]) -> Outputs:
    given = {"convert_to_numpy": True}
    outputs = _of_encoder(model, prompts, {"normalized": {"normalize_embeddings": True}}, given)
    if "similarity" in outputs:
        outputs |= {"similarity": _token_similarity, "similarity_pairwise": _token_similarity_pairwise}
    return outputs


def _of_cross_encoder(model: CrossEncoder, prompts: Mapping[str, str | None]) -> Outputs:
    options: dict[str, dict[str, Any]] = {
        "logits": {"activation_fn": as_they_are},
        "scores": {},
        **{f"prompt {name!r}": {"prompt_name": name} for name in _named(model, prompts)},
    }
    if model.num_labels > 1:  # of one label it is that label, or 1 before sentence-transformers 6
        options["softmax"] = {"apply_softmax": True}
    outputs: Outputs = {name: _predict(given) for name, given in options.items()}
    return outputs | ({"rank": _rank} if model.num_labels == 1 else {})


def output_rows(
    model: Any, texts: list[Any], prompt_name: str | None, task: str | None
) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """As `plain_output`; then the numbers (texts,) of rows of each text, or None where each has one."""
    if not gives_tokens(model):
        return plain_output(model, texts, prompt_name, task), None
    given = model.encode(texts, prompt_name=prompt_name, task=task, convert_to_numpy=True, **_QUIET)
    found = [np.asarray(rows, dtype=np.float32) for rows in given]
    return np.concatenate(found), np.array([len(rows) for rows in found], dtype=np.int64)


def gives_tokens(model: Any) -> bool:
    """Whether a model of either library gives a vector for each token, not one for a text."""
    return "maxsim" in getattr(model, "SUPPORTED_SIMILARITY_FN_NAMES", ())


def plain_output(model: Any, texts: list[Any], prompt_name: str | None, task: str | None) -> NDArray[Any]:
    """The plain output of a model of either library: vectors (texts, dim), or logits (pairs, labels).

    Token vectors are those of all texts, one below the other: (tokens of all texts, dim).
    """
    if gives_tokens(model):
        return output_rows(model, texts, prompt_name, task)[0]
    if hasattr(model, "predict"):
        return _predict({"activation_fn": as_they_are, "prompt_name": prompt_name})(model, texts)
    dense = {"convert_to_sparse_tensor": False} if hasattr(model, "sparsity") else {}
    return np.asarray(model.encode(texts, prompt_name=prompt_name, task=task, **_QUIET, **dense), dtype=np.float32)


def as_they_are(logits: Any) -> Any:
    """The identity, as an activation function for either library."""
    return logits


def _named(model: Encoder | CrossEncoder, prompts: Mapping[str, str | None]) -> list[str]:
    return sorted({name for each in (prompts, model.prompts) for name, prompt in each.items() if prompt})


def _takes(model: Encoder, method: str) -> bool:
    """Whether the model has a route for the method's task; without a router it needs none."""
    return model.tasks == [None] or method.removeprefix("encode_") in model.tasks


def _encode(method: str, options: Mapping[str, Any]) -> Output:
    return lambda model, texts: _plain(getattr(model, method)(texts, **_QUIET, **options))


def _plain(found: Any) -> Any:
    """An array or tensor as an array; a list unchanged."""
    return found if isinstance(found, list) else np.asarray(found)


def _repeated(encode: Output) -> Output:
    """The same with the texts repeated: ranges for quantization taken from few texts cause a warning."""
    return lambda model, texts: encode(model, texts * math.ceil(_ENOUGH_FOR_RANGES / len(texts)))


def _token_similarity(model: Any, texts: list[str]) -> NDArray[Any]:
    """The scores of texts as queries with the same texts as documents."""
    return np.asarray(model.similarity(*_queries_and_documents(model, texts)))


def _token_similarity_pairwise(model: Any, texts: list[str]) -> NDArray[Any]:
    return np.asarray(model.similarity_pairwise(*_queries_and_documents(model, texts)))[:, np.newaxis]


def _queries_and_documents(model: Any, texts: list[str]) -> tuple[Any, Any]:
    options = {"convert_to_numpy": True, **_QUIET}
    return model.encode_query(texts, **options), model.encode_document(texts, **options)


def _similarity(model: Any, texts: list[str]) -> NDArray[Any]:
    vectors = model.encode(texts, **_QUIET)
    return np.asarray(model.similarity(vectors, vectors))


def _predict(options: Mapping[str, Any]) -> Output:
    return lambda model, pairs: model.predict(pairs, **_QUIET, **options).reshape(len(pairs), -1)


def _rank(model: Any, pairs: list[tuple[str, str]]) -> NDArray[Any]:
    """The scores in order of rank. The query is the shortest text, so that it fits any limit."""
    query = min((first for first, _ in pairs if first.strip()), key=len)
    documents = [document for _, document in pairs if document.strip()]
    ranked = model.rank(query, documents, return_documents=True, **_QUIET)
    assert all(list(row) == ["corpus_id", "score", "text"] for row in ranked)
    return np.array([[row["score"]] for row in ranked], dtype=np.float64)
