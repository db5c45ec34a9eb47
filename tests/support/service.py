"""The application over tiny models of every class, and the same models to compare with."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from edge_st import CrossEncoder, Index, SentenceTransformer, SparseEncoder
from edge_st.server import create_app
from edge_st.server.service import Service
from tests.support.tiny_models import TinyModel
from tests.support.tiny_pair_models import ONE, SPARSE, THREE

PROMPTS = {"query": "who remembers: ", "document": "a library: "}
ALIAS = "text-embedding-3-small"
DOCUMENTS = ["the quick fox jumps", "the lazy dog", "an old library", "green sea", "who painted the door", "nobody"]
_ONNX: Any = {"backend": "onnx", "dtype": "float32"}


@dataclass(frozen=True)
class Folders:
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


@dataclass(frozen=True)
class Same:
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


def service_of(app: Starlette) -> Service:
    """The service behind the application."""
    found: Service = app.state.service
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Return when ``condition`` is true; fail where that takes longer."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be in time"
        time.sleep(0.01)
