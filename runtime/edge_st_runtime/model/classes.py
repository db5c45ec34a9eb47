"""Which class of sentence-transformers a model folder belongs to, and what one without modules.json holds."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..engines.signature import SCORES, SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS
from ..errors import EXPORT, UnsupportedModelError, WrongClassError
from ..modules.sparse import SpladePooling
from ..modules.specs import InGraph, Module, Normalize, Pooling

SENTENCE_TRANSFORMER, CROSS_ENCODER, SPARSE_ENCODER = "SentenceTransformer", "CrossEncoder", "SparseEncoder"
MULTI_VECTOR_ENCODER = "MultiVectorEncoder"
#: the class that gives what all heads of a graph give; no folder names it
BGE_M3 = "BGEM3"
#: the task of each class, as edge_st.json and the manifest name it
TASKS = {
    SENTENCE_TRANSFORMER: "sentence-embedding",
    CROSS_ENCODER: "cross-encoder",
    SPARSE_ENCODER: "sparse-encoder",
    MULTI_VECTOR_ENCODER: "multi-vector-encoder",
}
#: the feature that a model of a class gives, where it is not the sentence embedding
_RESULT = {CROSS_ENCODER: SCORES, MULTI_VECTOR_ENCODER: TOKEN_EMBEDDINGS}
_CLASSIFIER, _CAUSAL, _MASKED = "ForSequenceClassification", "ForCausalLM", "ForMaskedLM"
#: the architectures that a class opens without modules.json; with others it would need weights that no file holds
_PLAIN = {CROSS_ENCODER: (_CLASSIFIER, _CAUSAL), SPARSE_ENCODER: (_MASKED,), MULTI_VECTOR_ENCODER: ()}
#: the class that Model2Vec names in config.json; of a folder without modules.json
STATIC_MODEL = "StaticModel"
#: modules and transformer tasks that only models of one class have
_TELLING = {
    "SpladePooling": SPARSE_ENCODER,
    "SparseAutoEncoder": SPARSE_ENCODER,
    "SparseStaticEmbedding": SPARSE_ENCODER,
    "LogitScore": CROSS_ENCODER,
    "sequence-classification": CROSS_ENCODER,
    "MultiVectorMask": MULTI_VECTOR_ENCODER,
}
#: what PyLate writes into config_sentence_transformers.json; what Stanford's ColBERT names in config.json
_PYLATE, _STANFORD = ("query_prefix", "document_prefix"), "HF_ColBERT"
#: late-interaction models that look at pages as pictures, such as ColPali
_OF_PICTURES = "ForRetrieval"
Plain = tuple[Mapping[str, Any], tuple[Module, ...]]


def result_of(model_type: str) -> str:
    """The feature that a model of this class gives: "sentence_embedding", "scores" or "token_embeddings"."""
    return _RESULT.get(model_type, SENTENCE_EMBEDDING)


def foreign_colbert(settings: Mapping[str, Any], architecture: str) -> str | None:
    """Who saved a ColBERT model in a form of their own, "PyLate" or "Stanford's ColBERT"; None for other folders.

    The arguments are those of `find_model_type`. Source: sentence-transformers' MultiVectorEncoder.
    """
    own = settings.get("model_type")
    if own == "ColBERT" or (own in (None, SENTENCE_TRANSFORMER) and any(key in settings for key in _PYLATE)):
        return "PyLate"
    return "Stanford's ColBERT" if own is None and architecture == _STANFORD else None


def find_model_type(
    path: Path, settings: Mapping[str, Any], architecture: str, wanted: str | None, kinds: Collection[str] = ()
) -> str:
    """The name of the class that opens the folder at ``path``; ``wanted`` where the folder does not say.

    ``settings`` is its config_sentence_transformers.json. ``architecture`` is the transformer's class for a folder
    without modules.json, else "". ``kinds`` are the classes of its modules and the task of its transformer.

    Raises WrongClassError where the class is not the ``wanted`` one. Raises UnsupportedModelError for a class that
    this version does not run, and for a transformer that lacks weights which the ``wanted`` class needs.
    """
    writer = foreign_colbert(settings, architecture)
    if writer is not None:
        raise UnsupportedModelError(
            f"{path} is a ColBERT model as {writer} saves it; make a {MULTI_VECTOR_ENCODER} of it {EXPORT}"
        )
    own = settings.get("model_type") or (CROSS_ENCODER if architecture.endswith(_CLASSIFIER) else None)
    own = own or next((model_type for kind, model_type in _TELLING.items() if kind in kinds), None)
    if own is None and architecture:
        _check_plain(path, architecture, wanted)
        own = wanted
    own = own or SENTENCE_TRANSFORMER
    if own not in TASKS:
        raise UnsupportedModelError(f"{path} is a {own}; this version runs {', '.join(TASKS)}")
    if wanted not in (None, own):
        raise WrongClassError(f"{path} is a {own}, not a {wanted}; open it with edge_st.{own}", own)
    return own


def _check_plain(path: Path, architecture: str, wanted: str | None) -> None:
    if architecture.endswith(_OF_PICTURES):
        raise UnsupportedModelError(
            f"{path} is a {architecture}, which compares texts with pages as pictures; expected a model of texts, such "
            "as answerdotai/answerai-colbert-small-v1"
        )
    endings = _PLAIN.get(wanted or "")
    if endings == ():
        raise UnsupportedModelError(
            f"{path} is a {architecture} without modules.json; a {wanted} needs one that names a MultiVectorMask, or "
            f"its projection would have random weights. To use it as an embedding model, open it with "
            f"edge_st.{SENTENCE_TRANSFORMER}"
        )
    if endings and not architecture.endswith(endings):
        raise UnsupportedModelError(
            f"{path} is a {architecture} without modules.json; a {wanted} needs {' or '.join(endings)}, or its head "
            f"would have random weights. To use it as an embedding model, open it with edge_st.{SENTENCE_TRANSFORMER}"
        )


def plain_model(
    model_type: str, architecture: str, config: Mapping[str, Any], pooling: tuple[str, ...] | None = None
) -> Plain:
    """For a folder without modules.json: what its sentence_bert_config.json would say, and the modules after it.

    A SentenceTransformer pools by ``pooling``, or else the last token of a causal language model, else the mean.
    Source: the ``_load_default_modules`` of sentence-transformers' classes; for a static model, model2vec.
    """
    if architecture == STATIC_MODEL:
        return {"reader": "model2vec"}, (Normalize(),) if config.get("normalize") else ()
    causal = architecture.endswith(_CAUSAL)
    if model_type == CROSS_ENCODER and causal:
        generated = {"transformer_task": "text-generation", "module_output_name": "causal_logits"}
        return generated, (InGraph("LogitScore", SCORES),)
    if model_type == CROSS_ENCODER:
        return {"transformer_task": "sequence-classification", "module_output_name": SCORES}, ()
    if model_type == SPARSE_ENCODER:
        return {"transformer_task": "fill-mask"}, (SpladePooling(),)
    last = causal and config.get("is_causal") is not False
    return {}, (Pooling(pooling or (("lasttoken",) if last else ("mean",))),)
