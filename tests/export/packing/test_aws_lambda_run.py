"""The zips run as Lambda would run them: by AWS's runtime client, in a bare environment, within its memory."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st_export import pack_lambda
from tests.support.lambda_runtime import FunctionError
from tests.support.lambda_sandbox import Sandbox, may_limit_memory, missing, pythons
from tests.support.readme import PACKAGED

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=str(missing()))]
TEXTS = ["How warm is it?", "The sun shines.", "日本語のテキスト"]
LARGEST = 180e6
PEAK = 160


@pytest.fixture(scope="module", params=pythons())
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """all-MiniLM-L6-v2 in int8, unpacked as on Lambda."""
    folder = tmp_path_factory.mktemp("lambda")
    packed = pack_lambda(PACKAGED, folder / "packed", python=request.param)
    assert packed.has_byte_code
    assert sum(packed.sizes.values()) <= LARGEST
    return Sandbox.unpack(folder / "packed", folder, request.param)


@pytest.fixture(scope="module")
def expected() -> Any:
    return SentenceTransformer(PACKAGED, backend="onnx", num_threads=1).encode(TEXTS)


@pytest.mark.parametrize("memory", [512, 1024])
def test_the_answer_is_that_of_encode(sandbox: Sandbox, expected: Any, memory: int) -> None:
    if not may_limit_memory():
        pytest.skip("this user may not make memory cgroups")
    with sandbox.started(memory=memory) as function:
        np.testing.assert_allclose(function.invoke({"inputs": TEXTS}), expected, atol=1e-6)
        assert function.peak() <= PEAK


def test_a_snapshot_is_prepared_and_answers_after_it_is_restored(sandbox: Sandbox, expected: Any) -> None:
    with sandbox.started(variables={"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}) as function:
        found = function.invoke({"inputs": TEXTS})
        assert function.api.restored.is_set()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_errors_are_those_of_the_function(sandbox: Sandbox) -> None:
    with sandbox.started() as function:
        with pytest.raises(FunctionError, match="RequestError"):
            function.invoke({"inputs": ""})
        assert function.invoke({"httpMethod": "GET", "path": "/health", "requestContext": {}})["statusCode"] == 200


def test_nothing_in_the_layer_needs_a_cache(sandbox: Sandbox) -> None:
    """The variables of a cache lead to places that are not there, or that cannot be written."""
    for place in ("/var/task", "/nowhere"):
        with sandbox.started(variables={"XDG_CACHE_HOME": place, "HOME": place}) as function:
            assert function.invoke({"inputs": TEXTS[:1]})


def test_the_same_versions_give_the_same_bytes(sandbox: Sandbox, tmp_path: Path) -> None:
    pack_lambda(PACKAGED, tmp_path / "again", python=sandbox.python)
    for name in ("layer.zip", "function.zip"):
        first = sandbox.folder / "packed" / name
        assert first.read_bytes() == (tmp_path / "again" / name).read_bytes()
