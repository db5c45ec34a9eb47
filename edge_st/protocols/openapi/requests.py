"""The bodies of requests, as JSON Schema: what fits is answered, if the model can."""

from collections.abc import Sequence
from typing import NamedTuple

from ...models.classes import Model
from ...models.encoder import Encoder
from ...models.sentence_transformer import SentenceTransformer
from ...models.sparse_encoder import SparseEncoder
from ..described import Described
from ..embeddings import DIMENSION_FIELDS, PRECISION_FIELDS, PRECISIONS
from ..openai import FORMATS
from ..texts import SIDES, TASK_FIELDS, TASKS
from ..weaviate import POOLING, TASK_TYPES
from . import schema as s
from .schema import Schema

_ALTERNATIVES = (DIMENSION_FIELDS, PRECISION_FIELDS, TASK_FIELDS)
_TEXTS = s.described(s.any_of(s.FILLED, s.array(s.FILLED, 1)), "A text, or several.")


class Known(NamedTuple):
    """What the models of a class have in common: prompts, and the least of their sizes; None where it is not known."""

    prompts: Sequence[str] = ()
    dimensions: int | None = None
    vocabulary: int | None = None


def _known(described: Sequence[Described], of_class: type[Model]) -> Known:
    """What a request to any of the models of a class may ask for; nothing where one is not loaded."""
    models = [each.model for each in described if each.class_name == of_class.__name__]
    loaded = [model for model in models if model is not None]
    if not loaded or len(loaded) < len(models):
        return Known()
    widths = [model.get_embedding_dimension() for model in loaded if isinstance(model, Encoder)]
    words = [model.tokenizer.get_vocab_size() for model in loaded if hasattr(model.tokenizer, "get_vocab_size")]
    prompts = set.intersection(*[set(model.prompts) for model in loaded])
    return Known(sorted(prompts), min(widths, default=None), min(words, default=None))


def request_schemas(described: Sequence[Described]) -> dict[str, Schema]:
    """The schema of each body by its name, for the models that are served."""
    names = [name for each in described for name in (each.name, *each.aliases)]
    model = s.described(
        s.one_of((*names, "")) if names else s.TEXT, "The name of a model; without it, the first that can answer."
    )
    dense, sparse = _known(described, SentenceTransformer), _known(described, SparseEncoder)
    cut, shared = _cut(), {"model": model, **_cut()}
    embed = {"normalize": s.SWITCH, **shared, **_prompt(dense), **_form(dense)}
    with_format = {**embed, "encoding_format": s.one_of(FORMATS), "user": s.ANY}
    sentences = s.request({"source_sentence": s.TEXT, "sentences": _TEXTS}, {})
    parameters = _one_each(s.request({}, {**cut, **_prompt(dense)}))
    pair = s.array(s.TEXT, 2, 2)
    return {
        "EmbeddingsRequest": _one_each(s.request({"input": _TEXTS}, with_format)),
        "EmbedRequest": _one_each(s.request({"inputs": _inputs(dense)}, embed)),
        "EmbedAllRequest": _one_each(s.request({"inputs": _inputs(dense)}, {**shared, **_prompt(dense)})),
        "EmbedSparseRequest": _one_each(s.request({"inputs": _inputs(sparse)}, {**shared, **_prompt(sparse)})),
        "SimilarityRequest": s.request({"inputs": sentences}, {"model": model, "parameters": parameters}),
        "PredictRequest": s.request({"inputs": s.any_of(pair, s.array(pair, 1))}, {**shared, "raw_scores": s.SWITCH}),
        **_vectors(dense),
        **_tokens(model, dense),
        **_reranks(model),
        **_ollama(model, embed),
    }


def _inputs(known: Known) -> Schema:
    ids = s.array(_id(known), 1)
    return s.described(
        s.any_of(s.FILLED, ids, s.array(s.any_of(s.FILLED, ids), 1)),
        "A text, or several; a list of whole numbers is a text as ids of the model's own tokens.",
    )


def _tokens(model: Schema, known: Known) -> dict[str, Schema]:
    ids = s.any_of(s.array(_id(known), 1), s.array(s.array(_id(known)), 1))
    tokenize = {"model": model, "add_special_tokens": s.SWITCH, **_prompt(known)}
    return {
        "TokenizeRequest": _one_each(s.request({"inputs": _TEXTS}, tokenize)),
        "DecodeRequest": s.request({"ids": ids}, {"model": model, "skip_special_tokens": s.SWITCH}),
    }


def _reranks(model: Schema) -> dict[str, Schema]:
    document = s.any_of(s.FILLED, s.request({"text": s.FILLED}, {}))
    documents = s.described(s.any_of(s.FILLED, s.array(document, 1)), "Strings, or objects with a `text`.")
    shared = {"model": model, "top_n": {"type": "integer", "minimum": 1}, **_cut()}
    return {
        "TextsRerankRequest": s.request(
            {"query": s.TEXT, "texts": _TEXTS},
            {**shared, "raw_scores": s.SWITCH, "return_text": s.SWITCH},
            ("documents", "property"),
        ),
        "DocumentsRerankRequest": s.request(
            {"query": s.TEXT, "documents": documents}, {**shared, "return_documents": s.SWITCH}, ("property",)
        ),
        "PropertyRerankRequest": s.request(
            {"query": s.TEXT, "documents": documents, "property": s.TEXT}, {"model": model}
        ),
    }


def _ollama(model: Schema, embed: dict[str, Schema]) -> dict[str, Schema]:
    options = {"options": s.ANY, "keep_alive": s.ANY}
    texts = s.any_of(s.TEXT, s.array(s.FILLED))
    return {
        "OllamaEmbedRequest": _one_each(s.request({}, {**embed, "input": texts, **options})),
        "OllamaEmbeddingsRequest": _one_each(
            s.request({}, {"prompt": s.TEXT, "model": model, **_cut(), **_prompt_of(embed), **options})
        ),
        "OllamaShowRequest": s.request({}, {"model": model}),
    }


def _vectors(known: Known) -> dict[str, Schema]:
    config = {
        "pooling_strategy": s.described(s.one_of(POOLING), "Only checked: a model pools as its folder says."),
        "task_type": s.one_of(("", *TASK_TYPES)),
        "dimensions": _dimension(known),
    }
    optional = {"config": s.request({}, config)}
    return {
        "VectorsRequest": s.request({"text": s.TEXT}, optional, absent=("texts",)),
        "ManyVectorsRequest": s.request({"texts": s.array(s.TEXT, 1)}, optional),
    }


def _cut() -> dict[str, Schema]:
    sides = s.one_of(sorted({*SIDES, *map(str.lower, SIDES)}))
    return {
        "truncate": s.described(s.any_of(s.SWITCH, sides), "Whether a text beyond the model's limit is cut."),
        "truncation_direction": s.described(s.one_of(("left", "right", "Left", "Right")), "The side that is cut."),
    }


def _prompt(known: Known) -> dict[str, Schema]:
    kind = s.described(s.one_of(sorted({*TASKS, *known.prompts})), "Whether the texts are queries or documents.")
    name = s.one_of(known.prompts) if known.prompts else s.TEXT
    return {"prompt_name": s.described(name, "One of the model's prompts."), **dict.fromkeys(TASK_FIELDS, kind)}


def _prompt_of(fields: dict[str, Schema]) -> dict[str, Schema]:
    return {name: fields[name] for name in ("prompt_name", *TASK_FIELDS)}


def _form(known: Known) -> dict[str, Schema]:
    precision = s.described(s.one_of(("float", *PRECISIONS)), "The numbers of an embedding.")
    return {**dict.fromkeys(DIMENSION_FIELDS, _dimension(known)), **dict.fromkeys(PRECISION_FIELDS, precision)}


def _dimension(known: Known) -> Schema:
    most = {} if known.dimensions is None else {"maximum": known.dimensions}
    return {"type": "integer", "minimum": 1, **most, "description": "Cut before normalizing."}


def _id(known: Known) -> Schema:
    return {"type": "integer", "minimum": 0, **({} if known.vocabulary is None else {"maximum": known.vocabulary - 1})}


def _one_each(schema: Schema) -> Schema:
    return s.at_most_one(schema, *(names for names in _ALTERNATIVES if set(names) <= set(schema["properties"])))
