"""The pages about the service name what there is, and nothing else."""

import re
from pathlib import Path

from starlette.routing import Route
from starlette.testclient import TestClient

from edge_st.server import create_app
from tests.support.readme import PAGES, blocks, client_code

PAGE_FILES = "/page/"
CLIENTS = ["OpenAI", "LangChain", "LlamaIndex", "Haystack", "LiteLLM", "Cohere", "Ollama", "huggingface_hub", "Chroma"]


def table(page: str, heading: str) -> str:
    text = PAGES[page].read_text("utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_every_route_is_described() -> None:
    routes = {route.path for route in create_app().routes if isinstance(route, Route)}
    routes = {path.replace(":path}", "}") for path in routes if not path.startswith(PAGE_FILES)}
    rows = re.findall(r"^\| (`.*?) \|", table("docs/serving/index", "Routes"), re.MULTILINE)
    named = {path for row in rows for path in re.findall(r"[` ](/[\w/.{}-]*)`", row)}
    elsewhere = set(re.findall(r"`(/[\w/.-]+)`", table("docs/serving/operate", "Probes")))
    assert named | elsewhere == routes


def test_every_metric_is_described() -> None:
    with TestClient(create_app()) as client:
        assert client.post("/embed", json={"inputs": ["a"]}).status_code == 200
        assert client.post("/rerank", json={"query": "a", "texts": ["b"]}).status_code == 424
        text = client.get("/metrics").text
    metrics = set(re.findall(r"^# TYPE ((?:te|edge_st)_\w+)", text, re.MULTILINE))
    described = set(re.findall(r"`((?:te|edge_st)_\w+)", table("docs/serving/operate", "Metrics")))
    parts = re.compile(r"te_(embed|predict)_(tokenization|queue|inference)_duration")
    assert {name for name in metrics if not parts.fullmatch(name)} == described


def test_every_client_has_its_lines() -> None:
    assert "/v1/embeddings" in client_code("docs/serving/clients", "curl", "bash")
    for name in CLIENTS:
        compile(client_code("docs/serving/clients", name), name, "exec")
        assert "http://localhost:8080" in client_code("docs/serving/clients", name)
    places = {each.place for each in blocks("docs/serving/clients") if each.language in ("python", "bash")}
    assert places == {"client"}


def test_files_that_the_page_of_deploying_names_are_there() -> None:
    deploy = Path(PAGES["README"]).parent / "deploy"
    named = re.findall(r"`([\w/.-]+\.(?:yaml|service|socket)|Dockerfile)`", (deploy / "README.md").read_text("utf-8"))
    assert len(set(named)) > 5
    assert [name for name in named if not (deploy / name).is_file()] == []
