"""OpenAI's client for Python, and LangChain's, which uses it."""

import base64
from collections.abc import Callable

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st.protocols.embeddings import Form, formed
from tests.edge_st.server.clients.conftest import BUNDLED, KEY
from tests.support.clients import Client, client_python, close, page_code, requirements_of
from tests.support.serving import served

pytestmark = pytest.mark.slow
TEXTS = ["How warm is it?", "Is it raining?"]
ONE_CLIENT = """
from openai import OpenAI

client = OpenAI(base_url="http://localhost:8080/v1", api_key="none", max_retries=0)
"""
FORMS = """
texts, name = ["How warm is it?", "Is it raining?"], "all-MiniLM-L6-v2"

def vectors(model=name, **options):
    return [each.embedding for each in client.embeddings.create(model=model, input=texts, **options).data]

raw = client.embeddings.with_raw_response.create(model=name, input=["the door was painted green " * 200, "short"])
cut = raw.parse()
"""
ERRORS = """
import openai

def error_of(call):
    try:
        call()
    except openai.APIStatusError as error:
        return {"class": type(error).__name__, "status": error.status_code, "message": error.message,
                "type": error.type, "param": error.param, "code": error.code}

make = client.embeddings.create
unknown = error_of(lambda: make(model="nobody", input="x"))
no_such = error_of(lambda: client.models.retrieve("nobody"))
ids = error_of(lambda: make(model="all-MiniLM-L6-v2", input=[[1, 2], [3]]))
empty = error_of(lambda: make(model="all-MiniLM-L6-v2", input=""))
wide = error_of(lambda: make(model="all-MiniLM-L6-v2", input="x", dimensions=385))
wrong_class = error_of(lambda: make(model="reranker", input="x"))
no_path = error_of(lambda: client.chat.completions.create(model="x", messages=[{"role": "user", "content": "x"}]))
"""
LOCKED = """
import openai

try:
    client.embeddings.create(model="all-MiniLM-L6-v2", input="x")
except openai.AuthenticationError as error:
    refused = [error.status_code, error.code, error.type]
known = client.with_options(api_key={key!r})
vector = known.embeddings.create(model="all-MiniLM-L6-v2", input="x").data[0].embedding
"""
BUSY = """
import openai
from concurrent.futures import ThreadPoolExecutor

texts = [f"the door number {number} was painted green" for number in range(100)]

def ask(client):
    try:
        return len(client.embeddings.create(model="all-MiniLM-L6-v2", input=texts).data)
    except openai.RateLimitError as error:
        return [error.status_code, error.type, error.code, error.response.headers["retry-after"]]

with ThreadPoolExecutor(8) as pool:
    at_once = list(pool.map(ask, [client] * 8))
    patient = list(pool.map(ask, [client.with_options(max_retries=9)] * 4))
"""
DEFAULT_LANGCHAIN = """
from langchain_openai import OpenAIEmbeddings
import openai

embeddings = OpenAIEmbeddings(model="all-MiniLM-L6-v2", base_url="http://localhost:8080/v1", api_key="none")
try:
    embeddings.embed_query("How warm is it?")
except openai.BadRequestError as error:
    refused = error.message
"""


def test_the_lines_of_the_page(client_of: Callable[[str], Client], address: str, dense: SentenceTransformer) -> None:
    found = client_of("OpenAI").run(page_code("OpenAI"), address, vectors="vectors", query="query")
    expected = dense.encode(TEXTS, normalize_embeddings=True)
    close(found["vectors"], expected)
    assert found["query"] == formed(dense.encode_query(TEXTS[:1]), Form(precision="int8"))[0].tolist()


def test_formats_dimensions_and_models(
    client_of: Callable[[str], Client], address: str, dense: SentenceTransformer, bundled: SentenceTransformer
) -> None:
    found = client_of("OpenAI").run(
        ONE_CLIENT + FORMS,
        address,
        floats='vectors(encoding_format="float")',
        base64="vectors()",
        narrow="vectors(dimensions=32)",
        bundled=f'vectors("{BUNDLED}")',
        text='client.embeddings.create(model=name, input=texts, encoding_format="base64").data[0].embedding',
        usage="client.embeddings.create(model=name, input=texts).usage.model_dump()",
        cut="cut.truncated",
        header='raw.headers["x-edge-st-truncated"]',
        models="[each.id for each in client.models.list().data]",
        model='client.models.retrieve("splade").id',
    )
    expected = dense.encode(TEXTS, normalize_embeddings=True)
    close(found["floats"], expected)
    assert np.array_equal(np.float32(found["base64"]), np.float32(found["floats"]))
    assert np.array_equal(np.frombuffer(base64.b64decode(found["text"]), "<f4"), np.float32(found["floats"][0]))
    close(found["narrow"], dense.encode(TEXTS, truncate_dim=32, normalize_embeddings=True))
    close(found["bundled"], bundled.encode(TEXTS, normalize_embeddings=True))
    tokens = int(np.sum(dense.count_tokens(TEXTS)))
    assert found["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert (found["cut"], found["header"]) == ([0], "1")
    assert found["models"] == ["all-MiniLM-L6-v2", BUNDLED, "reranker", "splade"]
    assert found["model"] == "splade"


def test_errors_are_those_of_the_client(client_of: Callable[[str], Client], address: str) -> None:
    names = ("unknown", "no_such", "ids", "empty", "wide", "wrong_class", "no_path")
    found = client_of("OpenAI").run(ONE_CLIENT + ERRORS, address, **{name: name for name in names})
    told = {name: (found[name]["class"], found[name]["param"], found[name]["code"]) for name in names}
    assert told == {
        "unknown": ("NotFoundError", "model", "model_not_found"),
        "no_such": ("NotFoundError", "model", "model_not_found"),
        "ids": ("BadRequestError", "input", None),
        "empty": ("BadRequestError", "input", None),
        "wide": ("BadRequestError", "dimensions", None),
        "wrong_class": ("BadRequestError", None, None),
        "no_path": ("NotFoundError", None, None),
    }
    assert "expected one of all-MiniLM-L6-v2" in found["unknown"]["message"]
    assert "check_embedding_ctx_length=False" in found["ids"]["message"]
    assert {found[name]["type"] for name in names} == {"invalid_request_error"}


def test_a_wrong_key(client_of: Callable[[str], Client], locked: str, dense: SentenceTransformer) -> None:
    code = ONE_CLIENT + LOCKED.format(key=KEY)
    found = client_of("OpenAI").run(code, locked, refused="refused", vector="vector")
    assert found["refused"] == [401, "invalid_api_key", "invalid_request_error"]
    close(found["vector"], dense.encode("x", normalize_embeddings=True))


def test_a_full_queue(client_of: Callable[[str], Client], arguments: list[str]) -> None:
    """Some requests get through, others are told when to come again, and get through when they do."""
    with served(*arguments, "--queue-tokens", "1") as running:
        found = client_of("OpenAI").run(ONE_CLIENT + BUSY, running.address, at_once="at_once", patient="patient")
    answered = [each for each in found["at_once"] if each == 100]
    refused = [each for each in found["at_once"] if each != 100]
    assert answered
    assert refused
    assert all(each[:3] == [429, "rate_limit_error", "rate_limit_exceeded"] and int(each[3]) > 0 for each in refused)
    assert found["patient"] == [100] * 4


def test_langchain(client_of: Callable[[str], Client], address: str, dense: SentenceTransformer) -> None:
    found = client_of("LangChain").run(page_code("LangChain"), address, vectors="vectors", query="query")
    close(found["vectors"], dense.encode(["It is 21 degrees.", "Lunch is at noon."], normalize_embeddings=True))
    close(found["query"], dense.encode("How warm is it?", normalize_embeddings=True))


def test_langchain_is_told_not_to_send_token_ids(client_of: Callable[[str], Client], address: str) -> None:
    """LiteLLM's package holds the tokenizer of OpenAI's models, which LangChain's would download."""
    site = next((client_python(*requirements_of("LiteLLM")).parents[1] / "lib").glob("python*/site-packages"))
    tokenizers = {"TIKTOKEN_CACHE_DIR": str(site / "litellm" / "litellm_core_utils" / "tokenizers")}
    found = client_of("LangChain").run(DEFAULT_LANGCHAIN, address, tokenizers, refused="refused")
    assert "`input[0]` holds token ids" in found["refused"]
    assert "OpenAIEmbeddings(check_embedding_ctx_length=False)" in found["refused"]
