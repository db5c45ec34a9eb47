"""GET / and the files of the page."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from edge_st.server.page import routes
from edge_st.server.page.routes import RUNNING, page_routes

FILES = sorted((Path(routes.__file__).parent / "files").iterdir())
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=page_routes()))


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_who_asks_for_no_page_gets_a_line(client: TestClient, accept: str) -> None:
    answer = client.get("/", headers={"accept": accept})
    assert (answer.status_code, answer.text) == (200, RUNNING)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["vary"] == "accept"


def test_browsers_get_a_page_without_inline_code(client: TestClient) -> None:
    answer = client.get("/", headers=BROWSER)
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    tags = Tags(answer.text).found
    assert all("src" in attributes for tag, attributes in tags if tag == "script")
    assert not any(tag == "style" or "style" in attributes for tag, attributes in tags)
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)


def test_what_the_page_asks_for_is_there(client: TestClient) -> None:
    """Also below another path: so no address begins with a slash."""
    page = client.get("/", headers=BROWSER).text
    linked = [(tag, each) for tag, found in Tags(page).found for name in ("src", "href") if (each := found.get(name))]
    files = [each for tag, each in linked if tag in ("script", "link", "img")]
    assert len(files) > 4
    assert {client.get(f"/{name}").status_code for name in files} == {200}
    scripts = {path.name: path.read_text("utf-8") for path in FILES if path.suffix == ".js"}
    imported = {name for script in scripts.values() for name in re.findall(r'from "\./([\w.]+)"', script)}
    assert imported
    assert {client.get(f"/page/{name}").status_code for name in imported} == {200}
    everything = page + "".join(scripts.values())
    assert re.findall(r'(?:src|href|fetch\(|ask\()="?/', everything) == []
    assert re.findall(r"https?://(?!www\.w3\.org)", everything) == []


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "index.html"], ids=lambda path: path.name)
def test_a_file_that_is_known_is_not_sent_again(client: TestClient, path: Path) -> None:
    answer = client.get(f"/page/{path.name}")
    assert answer.content == path.read_bytes()
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    tag = answer.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = client.get(f"/page/{path.name}", headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(f"/page/{path.name}", headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize("name", ["routes.py", "../routes.py", "%2e%2e/routes.py", "index.html", "files", ""])
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/page/{name}").status_code == 404


def test_without_a_page() -> None:
    client = TestClient(Starlette(routes=page_routes(page=False)))
    assert client.get("/", headers=BROWSER).text == RUNNING
    assert client.get("/page/page.js").status_code == 404
