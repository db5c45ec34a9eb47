"""POST /search over a real index: hits are those of `Index.search`."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from edge_st import Index, SentenceTransformer
from edge_st.server import create_app
from tests.support.service import DOCUMENTS, Folders, Same
from tests.support.tiny_models import TinyModel

QUERIES = ["who remembers the dog", "sea"]


@pytest.fixture(scope="module")
def client(folders: Folders) -> Iterator[TestClient]:
    with TestClient(folders.app()) as found:
        yield found


def search(client: TestClient, **body: Any) -> Any:
    found = client.post("/search", json=body)
    assert found.status_code == 200, found.text
    return found.json()["hits"]


def check(found: list[Any], expected: list[Any]) -> None:
    assert [hit["id"] for hit in found] == [hit["corpus_id"] for hit in expected]
    assert [hit["score"] for hit in found] == pytest.approx([hit["score"] for hit in expected], abs=1e-6)
    for hit, other in zip(found, expected, strict=True):
        assert (hit["text"], hit["metadata"]) == (other["text"], other["metadata"])
        assert hit.keys() == {"id", "score", "text", "metadata"}


@pytest.mark.parametrize(
    "options",
    [{}, {"top_k": 2}, {"filter": {"even": True}}, {"filter": {"place": [1, 3]}}, {"score_threshold": 0.3},
     {"top_k": None, "filter": None, "score_threshold": None}, {"top_k": 10**30}],
)  # fmt: skip
def test_hits_are_those_of_the_index(client: TestClient, same: Same, options: Any) -> None:
    given = {name: value for name, value in options.items() if value is not None}
    check(search(client, query=QUERIES[0], **options), same.index.search(QUERIES[0], **given))
    found = search(client, query=QUERIES, index="documents", **options)
    for hits, expected in zip(found, same.index.search(QUERIES, **given), strict=True):
        check(hits, expected)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "`query` is missing"),
        ({"query": ""}, 400, "`query` is an empty string"),
        ({"query": [1]}, 400, "token ids"),
        ({"query": "a", "index": "other"}, 404, "'other'; expected one of documents"),
        ({"query": "a", "index": 5}, 400, "`index` is the number 5"),
        ({"query": "a", "top_k": 0}, 400, "`top_k` is the number 0"),
        ({"query": "a", "top_k": True}, 400, "`top_k` is true"),
        ({"query": "a", "filter": []}, 400, "`filter` is a list of 0"),
        ({"query": "a", "score_threshold": "0.5"}, 400, "`score_threshold` is the string '0.5'"),
    ],
)
def test_what_cannot_be_searched_is_refused(client: TestClient, body: Any, status: int, message: str) -> None:
    found = client.post("/search", json=body)
    assert found.status_code == status
    assert message in found.json()["error"]["message"]


def test_without_an_index(folders: Folders) -> None:
    with TestClient(create_app({"models": [str(folders.dense)]})) as client:
        found = client.post("/search", json={"query": "a"})
        assert found.status_code == 400
        assert "edge-st serve --index" in found.json()["error"]["message"]


def test_what_others_add_is_found(folders: Folders, same: Same, tmp_path: Path) -> None:
    path = shutil.copytree(folders.index, tmp_path / "index")
    config = folders.configuration()
    config["indexes"][0]["path"] = str(path)
    with TestClient(create_app(config)) as client:
        assert len(search(client, query="a")) == len(DOCUMENTS)
        with Index.open(path, "a", model=same.dense) as writer:
            writer.add(["a new text"], ids=["new"])
        assert "new" in [hit["id"] for hit in search(client, query="a new text")]


def test_an_index_that_does_not_open_is_unavailable_and_others_answer(
    folders: Folders, same: Same, tmp_path: Path
) -> None:
    damaged, other = tmp_path / "damaged", tmp_path / "other"
    shutil.copytree(folders.index, damaged)
    (damaged / "index.json").write_text("{", "utf-8")
    foreign = SentenceTransformer(TinyModel(limit=9).save(tmp_path / "foreign"), backend="onnx", dtype="float32")
    Index.build(foreign, ["a"], other).close()
    config = folders.configuration()
    config["indexes"] += [{"path": str(path), "name": path.name, "model": "dense"} for path in (damaged, other)]
    config["indexes"] += [{"path": str(folders.index), "name": "of no embeddings", "model": "reranker"}]
    with TestClient(create_app(config)) as client:
        for name in ("damaged", "other", "of no embeddings"):
            found = client.post("/search", json={"query": "a", "index": name})
            assert found.status_code == 503, found.text
            assert f"the index '{name}' does not open" in found.json()["error"]["message"]
        check(search(client, query="a"), same.index.search("a"))


def test_an_index_that_moves_to_another_model_is_not_searched_with_the_old_one(
    folders: Folders, same: Same, tmp_path: Path
) -> None:
    path = shutil.copytree(folders.index, tmp_path / "index")
    config = folders.configuration()
    config["indexes"][0]["path"] = str(path)
    foreign = SentenceTransformer(TinyModel(limit=9).save(tmp_path / "foreign"), backend="onnx", dtype="float32")
    with TestClient(create_app(config)) as client:
        search(client, query="a")
        with Index.open(path, "a", model=same.dense) as writer:
            writer.migrate(foreign)
        found = client.post("/search", json={"query": "a"})
        assert found.status_code == 503
        assert "fingerprint" in found.json()["error"]["message"]
