"""What GET says of the models that are served."""

import json
from pathlib import Path

import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.protocols import listings
from edge_st.protocols.described import Described
from edge_st.protocols.fields import UnknownModelError
from edge_st.protocols.writing import written

CREATED = 1_700_000_000


@pytest.fixture(scope="module")
def served(small: SentenceTransformer, cross: CrossEncoder) -> list[Described]:
    return [
        Described("small", ("fox",), CREATED, small, "SentenceTransformer"),
        Described("pairs", (), CREATED, cross, "CrossEncoder"),
        Described("later", (), CREATED, None, "SparseEncoder"),
    ]


def test_openais_list_has_facts_beside(served: list[Described], small: SentenceTransformer) -> None:
    found = listings.models(served)
    assert [(each["id"], each["object"], each["created"]) for each in found["data"]] == [
        (each.name, "model", CREATED) for each in served
    ]
    first, second, third = found["data"]
    assert first["dimension"] == small.get_embedding_dimension()
    assert (first["fingerprint"], first["max_input_length"]) == (small.fingerprint, small.max_seq_length)
    assert (first["class"], first["engine"], first["dtype"]) == ("SentenceTransformer", "onnx", "float32")
    assert (first["aliases"], second["labels"]) == (["fox"], 1)
    assert (third["loaded"], third["fingerprint"], third["class"]) == (False, None, "SparseEncoder")
    json.loads(written(found))


def test_one_model_by_name_or_alias(served: list[Described]) -> None:
    for name in ("small", "fox"):
        assert listings.model(listings.find(served, name))["id"] == "small"
    with pytest.raises(UnknownModelError, match="there is no model 'nothing'; expected one of small, pairs, later"):
        listings.find(served, "nothing")


def test_info_has_teis_keys(served: list[Described], sparse: SparseEncoder, classifier: CrossEncoder) -> None:
    limits = listings.Limits(requests=9, texts=None, batch_tokens=512, threads=2, truncate=False)
    dense = listings.info(served[0], limits)
    assert set(dense) >= {
        *("model_id", "model_sha", "model_dtype", "served_model_name", "model_type", "max_concurrent_requests"),
        *("max_input_length", "max_batch_tokens", "max_batch_requests", "max_client_batch_size", "auto_truncate"),
        *(
            "tokenization_workers",
            "version",
            "sha",
            "docker_label",
            "fingerprint",
            "edge_st_version",
            "class",
            "prompts",
        ),
    }
    assert dense["model_type"] == {"embedding": {"pooling": "mean"}}
    assert (dense["max_client_batch_size"], dense["max_concurrent_requests"]) == (listings.NO_LIMIT, 9)
    assert (dense["auto_truncate"], dense["max_batch_tokens"]) == (False, 512)
    reranker = listings.info(served[1], limits._replace(texts=100))
    assert reranker["max_client_batch_size"] == 100
    assert reranker["model_type"] == {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}}
    kinds = [
        listings.info(Described("m", model=model, class_name=type(model).__name__), limits)["model_type"]
        for model in (sparse, classifier)
    ]
    assert kinds[0] == {"embedding": {"pooling": "splade"}}
    assert kinds[1]["classifier"]["id2label"]["2"] == "LABEL_2"
    assert listings.info(served[2], limits)["model_type"] == {"embedding": {}}


def test_a_static_model_has_no_limit(dense: SentenceTransformer) -> None:
    found = listings.info(Described("m", model=dense, class_name="SentenceTransformer"), listings.Limits())
    assert found["max_input_length"] == listings.NO_LIMIT
    json.loads(written(listings.models([Described("m", model=dense)])))


def test_ollamas_tags(served: list[Described], small: SentenceTransformer, tiny_folder: Path) -> None:
    first, _, third = listings.tags(served)["models"]
    assert (first["name"], first["model"], first["modified_at"]) == ("small", "small", "2023-11-14T22:13:20Z")
    assert first["size"] == (tiny_folder / "onnx" / "model.onnx").stat().st_size
    assert first["digest"] == small.fingerprint
    assert first["details"]["family"] == "bert"
    assert (third["size"], third["digest"]) == (0, "")


def test_version_and_meta(served: list[Described]) -> None:
    assert listings.version()["version"] == listings.meta(served[0])["edge_st_version"]
    assert (listings.meta(served[0])["model"], listings.meta(served[2])["loaded"]) == ("small", False)
