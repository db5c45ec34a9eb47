"""Requests generated from the document that a running server gives: no fault of its own, and answers as described."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.listening import served
from tests.support.service import Folders

schemathesis = pytest.importorskip("schemathesis")
#: why a body that fits is refused: a schema knows neither tokens, nor what the model can do that a body names
_BEYOND_THE_SCHEMA = (
    "must have at most",
    "this request needs one that",
    "this model scores pairs",
    "expected a pair of strings",
    "reranking needs one score",
    "this model gives sentence embeddings only",
    "which is no token id of this model",
    "expected one of query, document",
    "not found in the configured prompts",
    "; this model has ",
)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def schema(folders: Folders) -> Iterator[Any]:
    with served(folders.app()) as server:
        yield schemathesis.openapi.from_url(f"{server.address}/openapi.json")


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_answers_conform(schema: Any, mode: str) -> None:
    """Every operation is called some times; all that do not conform are told together."""
    from hypothesis import HealthCheck, given, settings

    found: list[str] = []
    everything: Any = list(HealthCheck)
    calls = 0
    for operation in (result.ok() for result in schema.get_all_operations()):
        if mode == "NEGATIVE" and operation.method == "get":
            continue  # nothing can be wrong with them
        strategy = operation.as_strategy(generation_mode=getattr(schemathesis.GenerationMode, mode))

        @settings(max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=everything)
        @given(case=strategy)
        def check(case: Any) -> None:
            nonlocal calls
            calls += 1
            response = case.call()
            assert response.status_code < 500 or response.status_code == 503, response.text
            if not any(reason in response.text for reason in _BEYOND_THE_SCHEMA):
                case.validate_response(response)

        try:
            check()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - they are told together
            found.append(f"{operation.label}: {getattr(error, 'exceptions', error)!s}")
    assert calls > 300
    assert not found, "\n\n".join(found)
