from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.models.outputs import Embeddings
from edge_st.models.steps import Steps, steps_of
from edge_st.server.scheduling.scheduler import Scheduler
from edge_st_runtime.arrays import Floats
from tests.support.asking import ids_of
from tests.support.gated import Gated, gated
from tests.support.tiny_tokenizers import random_texts

#: small enough for several batches of a request
_BUDGET = 128


@pytest.fixture(scope="session")
def dense(tiny_folder: Path) -> SentenceTransformer:
    return SentenceTransformer(tiny_folder, backend="onnx", dtype="float32", num_threads=2)


@pytest.fixture(scope="session")
def plain(dense: SentenceTransformer) -> Steps:
    """To embeddings."""
    return steps_of(dense, Embeddings())


@pytest.fixture(scope="session")
def texts(plain: Steps) -> list[str]:
    """300 texts with different tokens, 3 to 24 of them, the first one of all lengths first."""
    found = random_texts(1000, longest=20, seed=3)
    distinct = {ids: text for ids, text in zip(ids_of(plain, found), found, strict=True) if text}
    return list(distinct.values())[:300]


@pytest.fixture(scope="session")
def expected(dense: SentenceTransformer, texts: list[str]) -> dict[str, Floats]:
    """What `encode` gives for each of ``texts``."""
    return dict(zip(texts, dense.encode(texts), strict=True))


@pytest.fixture
def gate(plain: Steps) -> Iterator[tuple[Steps, Gated]]:
    """The same with a gate, in small batches. It opens at the end, so that threads can end."""
    steps, found = gated(plain)
    found.token_budget = _BUDGET  # type: ignore[attr-defined]
    found.least_tokens = 1  # type: ignore[attr-defined]
    yield steps, found
    found.open()


@pytest.fixture
def scheduler_of(gate: tuple[Steps, Gated]) -> Iterator[Callable[..., Scheduler]]:
    """Makes schedulers, which end with the test."""
    made: list[Scheduler] = []

    def make(threads: int = 1, queue_tokens: int = 10**6, cache_bytes: int = 0, **more: object) -> Scheduler:
        made.append(Scheduler(threads, queue_tokens, cache_bytes, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    gate[1].open()
    for each in made:
        each.close()


@pytest.fixture
def equals(expected: dict[str, Floats]) -> Callable[[Floats, list[str]], None]:
    """Asserts that vectors are those of `encode`."""

    def check(found: Floats, texts: list[str]) -> None:
        np.testing.assert_allclose(found, np.stack([expected[text] for text in texts]), atol=1e-6)

    return check
