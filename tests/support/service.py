"""The application over tiny models of every class, and the same models to compare with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from starlette.applications import Starlette

from edge_st import CrossEncoder, Index, SentenceTransformer, SparseEncoder
from edge_st.server import create_app
from tests.support.tiny_models import TinyModel
from tests.support.tiny_pair_models import ONE, SPARSE, THREE

PROMPTS = {"query": "who remembers: ", "document": "a library: "}
ALIAS = "text-embedding-3-small"
DOCUMENTS = ["the quick fox jumps", "the lazy dog", "an old library", "green sea", "who painted the door", "nobody"]
_ONNX = {"backend": "onnx", "dtype": "float32"}


class Folders(NamedTuple):
    """Folders of models, and of an index made by the first of them."""

    dense: Path
    sparse: Path
    reranker: Path
    classifier: Path
    index: Path

    def configuration(self, **more: Any) -> dict[str, Any]:
        """All of them, and the bundled model."""
        names = ("dense", "sparse", "reranker", "classifier")
        models: list[Mapping[str, Any]] = [
            {"model": str(getattr(self, name)), "name": name, "options": _ONNX} for name in names
        ]
        models[0] = {**models[0], "aliases": [ALIAS]}
        indexes = [{"path": str(self.index), "name": "documents", "model": "dense"}]
        return {"models": [*models, {"name": "static"}], "indexes": indexes, **more}

    def app(self, **more: Any) -> Starlette:
        """The application."""
        return create_app(self.configuration(**more))


class Same(NamedTuple):
    """The models that are served, loaded once more."""

    dense: SentenceTransformer
    sparse: SparseEncoder
    reranker: CrossEncoder
    classifier: CrossEncoder
    static: SentenceTransformer
    index: Index


def write(folder: Path) -> Folders:
    """Write the models and the index below ``folder``."""
    dense = TinyModel(settings={"prompts": PROMPTS}).save(folder / "dense")
    sparse, reranker, classifier = (
        tiny.save(folder / name) for tiny, name in ((SPARSE, "sparse"), (ONE, "reranker"), (THREE, "classifier"))
    )
    model = SentenceTransformer(dense, **_ONNX)
    metadata = [{"place": place, "even": place % 2 == 0} for place in range(len(DOCUMENTS))]
    Index.build(model, DOCUMENTS, folder / "index", metadata=metadata).close()
    return Folders(dense, sparse, reranker, classifier, folder / "index")


def same(folders: Folders) -> Same:
    """The models in ``folders``, and the bundled one."""
    dense = SentenceTransformer(folders.dense, **_ONNX)
    return Same(
        dense,
        SparseEncoder(folders.sparse, **_ONNX),
        CrossEncoder(folders.reranker, **_ONNX),
        CrossEncoder(folders.classifier, **_ONNX),
        SentenceTransformer(),
        Index.open(folders.index, model=dense),
    )
