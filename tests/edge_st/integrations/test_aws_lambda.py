"""The handler for AWS Lambda, with events as Lambda gives them."""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.integrations.aws_lambda import Handler, make_handler
from edge_st.models.classes import Model
from edge_st_runtime.errors import FolderError, HubError, InputError
from tests.support.readme import PACKAGED

TEXTS = ["How warm is it?", "The sun shines."]
BODY = {"input": TEXTS, "encoding_format": "base64"}
RECORDER = """
before, after = [], []
def register_before_snapshot(function, *arguments): before.append((function, arguments))
def register_after_restore(function, *arguments): after.append((function, arguments))
"""


@pytest.fixture(scope="module")
def packaged() -> SentenceTransformer:
    return SentenceTransformer(PACKAGED, num_threads=1)


@pytest.fixture
def handler(packaged: SentenceTransformer) -> Handler:
    return make_handler(packaged)


def http(body: Any, path: str = "/v1/embeddings", method: str = "POST", *, coded: bool = False) -> dict[str, Any]:
    """An event of format 2.0, which HTTP APIs and function URLs give."""
    text = json.dumps(body)
    return {
        "version": "2.0",
        "rawPath": path,
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
        "headers": {"content-type": "application/json"},
        "body": base64.b64encode(text.encode()).decode() if coded else text,
        "isBase64Encoded": coded,
    }


def rest(body: Any, path: str = "/v1/embeddings", method: str = "POST") -> dict[str, Any]:
    """An event of format 1.0, which REST APIs and load balancers give."""
    return {
        "httpMethod": method,
        "path": path,
        "requestContext": {"stage": "prod"},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def vectors(answer: Any) -> Any:
    data = [base64.b64decode(each["embedding"]) for each in answer["data"]]
    return np.array([np.frombuffer(each, "<f4") for each in data])


def test_a_direct_invocation_is_the_body_itself(handler: Handler, packaged: SentenceTransformer) -> None:
    np.testing.assert_array_equal(vectors(handler(BODY, None)), packaged.encode(TEXTS))


@pytest.mark.parametrize("event", [http(BODY), http(BODY, coded=True), rest(BODY), http(BODY, "/prod/v1/embeddings")])
def test_every_kind_of_http_event_gives_the_same(
    handler: Handler, packaged: SentenceTransformer, event: dict[str, Any]
) -> None:
    answer = handler(event, None)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "application/json")
    np.testing.assert_array_equal(vectors(json.loads(answer["body"])), packaged.encode(TEXTS))


def test_errors_over_http_are_answers_and_directly_are_raised(handler: Handler) -> None:
    answer = handler(http({"input": ""}), None)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["error"]["param"] == "input"
    with pytest.raises(ValueError, match="empty string"):
        handler({"input": ""}, None)
    with pytest.raises(InputError, match="expected an object"):
        handler("a text", None)


def test_health_without_a_body(handler: Handler) -> None:
    assert handler(rest(None, "/health", "GET"), None)["statusCode"] == 200


def test_other_classes_answer_too(models: dict[str, Model]) -> None:
    assert make_handler(models["cross"])({"query": "a", "texts": ["b", "c"]}, None)[0]["score"]
    assert make_handler(models["sparse"])({"inputs": ["the quick fox"]}, None)[0]


def test_a_model_is_opened_without_a_request(tiny_folder: Path) -> None:
    assert make_handler(tiny_folder, dtype="float32")({"inputs": "a"}, None)
    with pytest.raises(FolderError):
        make_handler(str(tiny_folder / "elsewhere"))
    with pytest.raises(HubError, match="local_files_only"):
        make_handler("all-mpnet-base-v2")


def test_snapshots_are_prepared_where_lambda_takes_them(
    packaged: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder stands for Lambda's own module: the run through AWS's client is in tests/export/packing."""
    (tmp_path / "snapshot_restore_py.py").write_text(RECORDER)
    monkeypatch.syspath_prepend(tmp_path)
    make_handler(packaged)
    assert "snapshot_restore_py" not in sys.modules
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    make_handler(packaged)
    recorder = sys.modules.pop("snapshot_restore_py")
    (warm, arguments), (renew, _) = recorder.before[0], recorder.after[0]
    warm(*arguments)
    np.random.seed(0)  # noqa: NPY002 - a user's code may draw from this generator
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    renew()
    assert np.random.random() != drawn  # noqa: NPY002
