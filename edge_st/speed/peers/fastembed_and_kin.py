"""fastembed and its fork fastretrieval, which run an ONNX file of a folder under a name that is made up for it."""

from collections.abc import Callable, Sequence
from typing import Any

from .model_files import hidden_size, pools_first
from .peer import Encode, Setting

_NAME = "peers/model"
#: a late-interaction model that fastembed knows, as it takes no others, and the graph that it looks for
_LATE, LATE_GRAPH = "answerdotai/answerai-colbert-small-v1", "vespa_colbert.onnx"


def fastembed(**options: int) -> Callable[[Setting], Encode]:
    """fastembed; ``options`` such as the batch size are those of its calls."""

    def opened(setting: Setting) -> Encode:
        if setting.task == "multi-vector":
            from fastembed import LateInteractionTextEmbedding

            return _token_embedding(LateInteractionTextEmbedding(_LATE, **_loading(setting)), options)
        from fastembed.common.model_description import ModelSource

        given: dict[str, Any] = {
            "model": _NAME,
            "sources": ModelSource(url="https://localhost/unused"),
            "model_file": setting.graph,
        }
        if setting.task == "rerank":
            from fastembed.rerank.cross_encoder import TextCrossEncoder

            TextCrossEncoder.add_custom_model(**given)
            return _ranking(TextCrossEncoder(_NAME, **_loading(setting)), options)
        from fastembed import TextEmbedding
        from fastembed.common.model_description import PoolingType

        pooling = PoolingType.CLS if pools_first(setting.weights) else PoolingType.MEAN
        TextEmbedding.add_custom_model(**given, pooling=pooling, normalization=True, dim=hidden_size(setting.weights))
        return _embedding(TextEmbedding(_NAME, **_loading(setting)), options)

    return opened


def fastretrieval(setting: Setting) -> Encode:
    """fastretrieval with its own batch size."""
    from fastretrieval import CustomModelSpec, CustomRerankerSpec, TextCrossEncoder, TextEmbedding

    given: dict[str, Any] = {"model_id": _NAME, "url": "https://localhost/unused", "model_file": setting.graph}
    if setting.task == "rerank":
        CustomRerankerSpec(**given).register()
        return _ranking(TextCrossEncoder(_NAME, **_loading(setting)), {})
    pooling = "CLS" if pools_first(setting.weights) else "MEAN"
    CustomModelSpec(**given, pooling=pooling, dim=hidden_size(setting.weights)).register()
    return _embedding(TextEmbedding(_NAME, **_loading(setting)), {})


def _loading(setting: Setting) -> dict[str, Any]:
    return {"specific_model_path": setting.folder, "threads": setting.threads}


def _embedding(model: Any, options: dict[str, int]) -> Encode:
    import numpy as np

    return lambda texts: np.array(list(model.embed(texts, **options)))


def _token_embedding(model: Any, options: dict[str, int]) -> Encode:
    """Its graph has the projection, and takes [unused0] and [unused1] as the marks of queries and documents."""

    def embed(given: Any) -> Any:
        if isinstance(given, dict):
            return list(model.query_embed(given["queries"]))
        return list(model.embed([given] if isinstance(given, str) else given, **options))

    return embed


def _ranking(model: Any, options: dict[str, int]) -> Encode:
    def rank(searches: Sequence[tuple[str, list[str]]]) -> list[list[tuple[int, float]]]:
        scores = [list(model.rerank(query, documents, **options)) for query, documents in searches]
        return [sorted(enumerate(map(float, each)), key=lambda hit: -hit[1]) for each in scores]

    return rank
