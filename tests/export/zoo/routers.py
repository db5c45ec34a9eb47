"""The zoo's routers: other modules for queries than for documents."""

from collections.abc import Mapping
from pathlib import Path

from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, StaticEmbedding
from torch import nn

from tests.export.originals import HIDDEN
from tests.export.zoo.building import ROBERTA, WIDTH, Case, bert_part, composed
from tests.support.tiny_tokenizers import wordpiece


def as_asym(folder: Path) -> None:
    """The names that a Router and its file had in sentence-transformers 2."""
    (folder / "2_Router" / "router_config.json").rename(folder / "2_Router" / "config.json")
    text = (folder / "modules.json").read_text(encoding="utf-8")
    modern = "sentence_transformers.base.modules.router.Router"
    assert modern in text
    (folder / "modules.json").write_text(text.replace(modern, "sentence_transformers.models.Asym"), encoding="utf-8")


def two_denses() -> dict[str, list[nn.Module]]:
    return {"query": [Dense(HIDDEN, 8)], "document": [Dense(HIDDEN, 16), Dense(16, 8)]}


ROUTERS: Mapping[str, Case] = {
    "router": Case(
        "BERT for documents, token vectors for queries",
        "Router over all modules, Normalize",
        composed(
            lambda folder: [
                Router.for_query_document(
                    [StaticEmbedding(wordpiece(), embedding_dim=HIDDEN)], [bert_part(folder), Pooling(HIDDEN)]
                ),
                Normalize(),
            ]
        ),
    ),
    "router-of-widths": Case(
        "BERT for documents, token vectors for queries",
        "Router over routes of different widths",
        composed(
            lambda folder: [
                Router.for_query_document(
                    [StaticEmbedding(wordpiece(), embedding_dim=WIDTH)], [bert_part(folder), Pooling(HIDDEN)]
                )
            ]
        ),
    ),
    "router-of-two": Case(
        "BERT and RoBERTa",
        "Router without a default, Dense",
        composed(
            lambda folder: [
                Router(
                    {
                        "query": [bert_part(folder), Pooling(HIDDEN)],
                        "doc": [bert_part(folder, "other", **ROBERTA), Pooling(HIDDEN, "cls")],
                    },
                    allow_empty_key=False,
                ),
                Dense(HIDDEN, 8),
            ]
        ),
    ),
    "router-after-pooling": Case(
        "BERT",
        "mean, Router over Dense, Normalize",
        composed(
            lambda folder: [
                bert_part(folder),
                Pooling(HIDDEN),
                Router(two_denses(), default_route="document"),
                Normalize(),
            ]
        ),
    ),
    "asym": Case(
        "BERT",
        "mean, Asym over Dense",
        composed(lambda folder: [bert_part(folder), Pooling(HIDDEN), Router(two_denses())], as_asym),
    ),
    "router-mappings": Case(
        "BERT",
        "mean, Router with mappings of tasks",
        composed(
            lambda folder: [
                bert_part(folder),
                Pooling(HIDDEN),
                Router(
                    {"a": [Dense(HIDDEN, 8)], "b": [Dense(HIDDEN, 8)]},
                    route_mappings={("query", "text"): "a", ("document", None): "b", (None, "text"): "b"},
                ),
            ]
        ),
    ),
}
