"""What an index is made of: texts or embeddings, a model or none, its width, and what it says of itself."""

from pathlib import Path

import numpy as np
import pytest

from edge_st import Index, SentenceTransformer
from edge_st_runtime.errors import InputError, OptionError
from tests.support.indexed import PRECISIONS, QUERIES, TEXTS, exact, ids_of


@pytest.mark.parametrize("precision", PRECISIONS)
def test_embeddings_in_place_of_texts(tmp_path: Path, precision: str) -> None:
    vectors = np.random.default_rng(1).standard_normal((300, 70))
    rescore = None if precision == "float32" else "float32"
    index = Index.build(None, None, tmp_path / "x", embeddings=vectors, precision=precision, rescore=rescore)
    for wanted in (vectors, vectors.astype(np.float32), vectors.astype(np.float64) * 3, vectors.tolist()):
        hits = index.search(wanted, top_k=1)
        assert [hit["corpus_id"] for (hit,) in hits] == list(range(300))
        assert all(hit["score"] == pytest.approx(1, abs=1e-5) for (hit,) in hits)
    assert list(hits[0][0]) == ["corpus_id", "metadata", "score"]
    index.add(None, embeddings=vectors[:3] + 10, metadata=[{"a": 1}, None, {}])
    assert [row["metadata"] for row in index.get([300, 301, 302])] == [{"a": 1}, {}, {}]
    index.update([0], None, embeddings=-vectors[:1])
    assert ids_of(index.search(-vectors[0], top_k=1)) == [0]
    assert index.info()["model"] is None


def test_embeddings_with_texts(tmp_path: Path, model: SentenceTransformer) -> None:
    """Texts are kept, and nothing is encoded; where there is no model, neither are queries."""
    vectors = model.encode_document(TEXTS)
    index = Index.build(model, TEXTS, tmp_path / "with", embeddings=vectors)
    assert ids_of(index.search("fruit")) == [place for place, _ in exact(model, TEXTS, "fruit")]
    alone = Index.build(None, TEXTS, tmp_path / "without", embeddings=vectors)
    query = model.encode_query("fruit")
    assert alone.search(query) == index.search(query)


def test_fewer_dimensions(tmp_path: Path) -> None:
    """An index keeps the width it was made with, whatever the model is set to when it is opened."""
    model = SentenceTransformer(truncate_dim=64)
    Index.build(model, TEXTS, tmp_path / "x").close()
    index = Index.open(tmp_path / "x", model=SentenceTransformer())
    assert index.info()["dim"] == 64
    assert ids_of(index.search("fruit")) == [place for place, _ in exact(model, TEXTS, "fruit")]
    assert len(index.search(SentenceTransformer(truncate_dim=64).encode_query("fruit"))) == 10


def test_without_texts(tmp_path: Path, model: SentenceTransformer) -> None:
    index = Index.build(model, TEXTS[:5], tmp_path / "x", store_texts=False)
    assert list(index.search("fruit")[0]) == ["corpus_id", "metadata", "score"]
    index.add(TEXTS[5:7])
    index.update([0], ["fruit"])
    assert ids_of(index.search("fruit", top_k=1)) == [0]
    assert list(index.get([6])[0]) == ["corpus_id", "metadata"]


def test_empty(tmp_path: Path, model: SentenceTransformer) -> None:
    index = Index.build(model, [], tmp_path / "x")
    assert (len(index), index.search("fruit"), index.search(QUERIES)) == (0, [], [[]] * len(QUERIES))
    index.add([])
    index.delete([])
    index.compact()
    index.add(["one"])
    index.delete([0])
    assert (len(index), index.search("fruit"), 0 in index) == (0, [], False)
    index.compact()
    assert index.info()["segments"] == 0


def test_info_and_repr(index: Index) -> None:
    found = index.info()
    assert found | dict.fromkeys(("path", "model", "bytes")) == {
        "path": None, "model": None, "dim": 256, "precision": "float32", "rescore": None, "texts": True,
        "similarity": "cosine", "rows": len(TEXTS), "deleted": 0, "segments": 1, "bytes": None,
        "bytes_per_vector": 1024,
    }  # fmt: skip
    assert found["bytes"] > 1024 * len(TEXTS)
    model = SentenceTransformer()
    parts = {"fingerprint": model.fingerprint, "parts": model.fingerprint_parts}
    assert found["model"] == {"name": "static-all-MiniLM-L6-v2", **parts}
    assert repr(index) == f"Index({found['path']!r}, {len(TEXTS)} rows, float32, 256 dim)"


def test_the_model_by_its_name(tmp_path: Path, tiny_folder: Path) -> None:
    with Index.build(tiny_folder, ["a", "b"], tmp_path / "x") as index:
        name = index.info()["model"]["name"]
    assert str(tiny_folder) in name or tiny_folder.name in name
    assert Index.open(str(tmp_path / "x"), model=str(tiny_folder)).search("a", top_k=1)[0]["text"] == "a"


def test_another_folder_to_work_in(tmp_path: Path, model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    index = Index.build(model, TEXTS[:3], "x")
    monkeypatch.chdir("/")
    index.add(["fruit"])
    index.compact()
    assert ids_of(index.search("fruit", top_k=1)) == [3]


def test_what_is_no_finer_copy(tmp_path: Path) -> None:
    for precision, rescore in (("float32", "int8"), ("int8", "int8"), ("float16", "int8")):
        with pytest.raises(OptionError, match=f"rescore is '{rescore}', no finer than precision '{precision}'"):
            Index.build(None, None, tmp_path / "x", embeddings=np.eye(3, 256), precision=precision, rescore=rescore)
    with pytest.raises(InputError, match=r"shape \(3, 0\); expected \(n, dim\)"):
        Index.build(None, None, tmp_path / "x", embeddings=np.ones((3, 0)))
