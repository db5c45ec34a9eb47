"""The server's engine: values are those of `encode` and `predict`, whoever they are computed with."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.models.classes import Model
from edge_st.protocols.engine import Texts
from edge_st.protocols.fields import OverloadedError, RequestError
from edge_st.server.joining import Joining, Loaded, Tools
from edge_st.server.record import Record
from edge_st.server.scheduling.scheduler import Scheduler
from edge_st_runtime.errors import InputError, OptionError
from tests.support.asking import is_empty
from tests.support.gated import Gated, gated
from tests.support.tiny_models import TinyModel
from tests.support.tiny_tokenizers import random_texts

TEXTS = [text for text in random_texts(400, longest=30, seed=5) if text]
PROMPTS = {"query": "who remembers: ", "document": "a library: "}


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    """A dense model with prompts."""
    folder = TinyModel(settings={"prompts": PROMPTS}).save(tmp_path_factory.mktemp("models") / "prompted")
    return SentenceTransformer(folder, backend="onnx", dtype="float32", num_threads=2)


@pytest.fixture(scope="module")
def tools() -> Iterator[Tools]:
    scheduler = Scheduler(2, 10**7)
    with ThreadPoolExecutor(2) as aside:
        yield Tools(scheduler, aside)
    scheduler.close()


@pytest.fixture
def engine_of(tools: Tools) -> Callable[..., Joining]:
    def make(model: Model, record: Record | None = None, **options: Any) -> Joining:
        loaded = Loaded(model, "tiny", model.fingerprint.encode(), **options)
        return Joining(loaded, tools, record or Record())

    return make


async def all_of(coroutines: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    return await asyncio.gather(*coroutines)


def some(number: int) -> list[str]:
    """The texts of request ``number``: one or a few, now and then very many."""
    chance = np.random.default_rng(number)
    count = int(chance.choice([1, 1, 2, 5, 150]))
    return chance.choice(TEXTS, count).tolist()


def test_embeddings_of_many_requests_with_and_without_prompts(
    prompted: SentenceTransformer, engine_of: Callable[..., Joining], tools: Tools
) -> None:
    loaded = Loaded(prompted, "tiny", prompted.fingerprint.encode())
    ways = [
        (Texts(some(number), "input", task=task, prompt_name=prompt_name), call)
        for number, (task, prompt_name, call) in enumerate(
            [
                (None, None, prompted.encode),
                ("query", None, prompted.encode_query),
                ("document", None, prompted.encode_document),
                (None, "query", lambda texts: prompted.encode(texts, prompt_name="query")),
            ]
            * 30
        )
    ]
    engines = [Joining(loaded, tools, Record()) for _ in ways]
    found = asyncio.run(all_of([engine.embed(texts) for engine, (texts, _) in zip(engines, ways, strict=True)]))
    for (vectors, counts), (texts, call) in zip(found, ways, strict=True):
        np.testing.assert_allclose(vectors, call(list(texts.texts)), atol=1e-6)
        assert len(counts.tokens) == len(texts.texts)
    assert is_empty(tools.scheduler)


@pytest.mark.parametrize("kind", ["dense", "sparse", "cross", "classifier"])
def test_every_class_of_model(models: dict[str, Model], kind: str, engine_of: Callable[..., Joining]) -> None:
    model = models[kind]
    pairs = list(zip(TEXTS[:60], TEXTS[60:120], strict=True))

    async def ask() -> list[Any]:
        engine = engine_of(model)
        if isinstance(model, CrossEncoder):
            return [await engine.score(Texts(pairs[start : start + 7], "texts")) for start in range(0, 56, 7)]
        call = engine.embed if isinstance(model, SentenceTransformer) else engine.embed_sparse
        return await all_of([call(Texts(some(number), "inputs")) for number in range(30)])

    found = asyncio.run(ask())
    for number, (values, _) in enumerate(found):
        if isinstance(model, CrossEncoder):
            expected = model.predict(pairs[7 * number : 7 * number + 7], activation_fn=lambda logits: logits)
            np.testing.assert_allclose(values.reshape(expected.shape), expected, atol=1e-6)
        elif isinstance(model, SparseEncoder):
            np.testing.assert_allclose(values.to_dense(), model.encode(some(number)).to_dense(), rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_allclose(values, model.encode(some(number)), atol=1e-6)


def test_models_of_several_classes_at_once_keep_apart(
    models: dict[str, Model], prompted: SentenceTransformer, engine_of: Callable[..., Joining]
) -> None:
    """The same texts, which have the same ids in two of them."""
    chosen = [models["dense"], models["sparse"], prompted]
    engines = [engine_of(model) for model in chosen]

    async def ask() -> list[Any]:
        calls = [engines[0].embed, engines[1].embed_sparse, engines[2].embed]
        return await all_of([call(Texts(TEXTS[:50], "input")) for _ in range(5) for call in calls])

    found = asyncio.run(ask())
    for number, (values, _) in enumerate(found):
        model = chosen[number % 3]
        assert not isinstance(model, CrossEncoder)
        expected = model.encode(TEXTS[:50])
        np.testing.assert_allclose(np.asarray(values), np.asarray(expected), rtol=1e-5, atol=1e-6)


def test_token_embeddings(prompted: SentenceTransformer, engine_of: Callable[..., Joining]) -> None:
    found, _ = asyncio.run(engine_of(prompted).embed_tokens(Texts(TEXTS[:40], "inputs")))
    expected = prompted.encode(TEXTS[:40], output_value="token_embeddings")
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_record_tells_what_was_done(prompted: SentenceTransformer, engine_of: Callable[..., Joining]) -> None:
    record = Record()
    texts = ["the quick fox", "the dog " * 40]
    _, counts = asyncio.run(engine_of(prompted, record).embed(Texts(texts, "input")))
    assert (record.texts, record.characters, record.truncated) == (2, sum(map(len, texts)), 1)
    assert record.lengths == [5, 24]
    assert record.tokens == 29
    assert counts.truncated == [1]
    assert record.inference > 0
    assert record.tokenization > 0
    assert record.queue >= 0


def test_texts_that_are_too_long_are_refused_where_they_must_not_be_cut(
    prompted: SentenceTransformer, engine_of: Callable[..., Joining]
) -> None:
    long = ["the dog", "the dog " * 40]
    for texts, options in ((Texts(long, "input", truncate=False), {}), (Texts(long, "input"), {"truncate": False})):
        with pytest.raises(RequestError, match=r"at most 24 tokens; text 1 has"):
            asyncio.run(engine_of(prompted, **options).embed(texts))
    left, _ = asyncio.run(engine_of(prompted).embed(Texts(["dog " * 40 + "fox"], "input", cut_left=True)))
    np.testing.assert_allclose(left, prompted.encode(["dog " * 21 + "fox"]), atol=1e-6)


def test_prompts_and_texts_that_cannot_be_used(
    prompted: SentenceTransformer, engine_of: Callable[..., Joining], tools: Tools
) -> None:
    engine = engine_of(prompted)
    with pytest.raises(OptionError, match="'query', 'document'"):
        asyncio.run(engine.embed(Texts(["a"], "input", prompt_name="other")))
    with pytest.raises(InputError):
        asyncio.run(engine.embed(Texts(["a", "\ud800"], "input")))
    assert len(engine._loaded.steps) == 1  # names that clients make up are not kept
    assert is_empty(tools.scheduler)


def test_more_texts_than_allowed(prompted: SentenceTransformer, tools: Tools) -> None:
    loaded, record = Loaded(prompted, "tiny", b"tiny"), Record()
    engine = Joining(loaded, tools._replace(max_texts=3), record)
    with pytest.raises(RequestError, match="`input` has 4 texts; expected at most 3"):
        asyncio.run(engine.embed(Texts(["a"] * 4, "input")))
    assert record.failure == "batch_size"
    asyncio.run(engine.embed(Texts(["a"] * 3, "input")))


@pytest.fixture
def closed_gate(prompted: SentenceTransformer) -> Iterator[tuple[Loaded, Gated, Tools]]:
    """A model whose batches wait, and tools of its own."""
    scheduler = Scheduler(1, 300)
    with ThreadPoolExecutor(1) as aside:
        tools = Tools(scheduler, aside)
        loaded = Loaded(prompted, "tiny", b"tiny")
        engine = Joining(loaded, tools, Record())
        asyncio.run(engine.embed(Texts(["a"], "input")))
        (key,) = loaded.steps
        loaded.steps[key], entry = gated(loaded.steps[key])
        yield loaded, entry, tools
        entry.open()
        scheduler.close()


def test_what_nobody_waits_for_is_dropped(closed_gate: tuple[Loaded, Gated, Tools]) -> None:
    loaded, entry, tools = closed_gate

    async def ask() -> None:
        engine = Joining(loaded, tools, Record())
        first = asyncio.ensure_future(engine.embed(Texts(["the fox"], "input")))
        await asyncio.to_thread(entry.came, 1)
        second = asyncio.ensure_future(engine.embed(Texts(["the dog", "sea"], "input")))
        while tools.scheduler.waiting("tiny")[0] < 2:
            await asyncio.sleep(0.001)
        second.cancel()
        await asyncio.wait((second,))
        assert tools.scheduler.waiting("tiny") == (0, 0)
        entry.open()
        await first

    asyncio.run(ask())
    assert len(entry.rows()) == 1
    assert is_empty(tools.scheduler)


def test_an_overload_is_told_at_once(closed_gate: tuple[Loaded, Gated, Tools]) -> None:
    loaded, entry, tools = closed_gate

    async def ask() -> None:
        engine = Joining(loaded, tools, Record())
        first = asyncio.ensure_future(engine.embed(Texts(["the fox"], "input")))
        await asyncio.to_thread(entry.came, 1)
        second = asyncio.ensure_future(engine.embed(Texts(TEXTS[:20], "input")))
        while not tools.scheduler.waiting("tiny")[0]:
            await asyncio.sleep(0.001)
        begin = time.perf_counter()
        with pytest.raises(OverloadedError):
            await engine.embed(Texts(TEXTS[20:40], "input"))
        assert time.perf_counter() - begin < 1
        entry.open()
        await asyncio.gather(first, second)

    asyncio.run(ask())
    assert is_empty(tools.scheduler)


def test_an_event_loop_that_ends_early_harms_no_other(
    closed_gate: tuple[Loaded, Gated, Tools], prompted: SentenceTransformer
) -> None:
    """Its request is done when the loop is closed already."""
    loaded, entry, tools = closed_gate
    loop = asyncio.new_event_loop()
    engine = Joining(loaded, tools, Record())
    left = loop.create_task(engine.embed(Texts(["the fox"], "input")))
    while not entry.batches:
        loop.run_until_complete(asyncio.sleep(0.001))
    assert not left.done()
    loop.close()
    entry.open()
    found, _ = asyncio.run(engine.embed(Texts(["the dog"], "input")))
    np.testing.assert_allclose(found, prompted.encode(["the dog"]), atol=1e-6)
    assert is_empty(tools.scheduler)
