"""The page in Chromium, before a server of real models."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from starlette.applications import Starlette
from starlette.routing import Mount

from edge_st import CrossEncoder, SentenceTransformer
from edge_st.server import Config, ModelConfig, create_app
from tests.support.listening import Served, served

DENSE, RERANKER, KEY = "static-all-MiniLM-L6-v2", "reranker", "a-secret-key"
TEXTS = ['It\'s a "quote", 50 % of $HOME \\ and 😀\nnext line', "A quoted text 'with' signs: Größe, 東京"]
PASSAGES = ["Lunch is at noon.", "The disk is full.", "It is 21 degrees.", "It rains."]
QUERY = "how warm is it?"
WAIT = 10_000
on_screens = pytest.mark.parametrize(
    "page", [("light", 1200), ("dark", 360)], ids=["light desktop", "dark phone"], indirect=True
)


@pytest.fixture(scope="module")
def models(cross_encoder_folders: dict[int, Path]) -> tuple[ModelConfig, ...]:
    return (
        ModelConfig(aliases=("text-embedding-3-small",)),
        ModelConfig(str(cross_encoder_folders[1]), RERANKER, options={"backend": "onnx"}),
    )


@pytest.fixture(scope="module")
def server(models: tuple[ModelConfig, ...]) -> Iterator[Served]:
    with served(create_app(Config(models))) as found:
        yield found


@pytest.fixture(scope="module")
def locked(models: tuple[ModelConfig, ...]) -> Iterator[Served]:
    """A server that asks for a key."""
    with served(create_app(Config(models, keys={KEY: "web"}))) as found:
        yield found


def opened(context: BrowserContext, address: str) -> Page:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(f"{address}/", wait_until="load")
    return page


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as found:
        yield found


@pytest.fixture
def page(browser: Browser, server: Served, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The opened page; it must cause no errors, ask nobody else, and fit the screen whatever it shows."""
    scheme, width = getattr(request, "param", ("light", 1200))
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
        errors: list[str] = []
        requests: list[str] = []
        context.on("request", lambda asked: requests.append(asked.url))
        context.on("console", lambda message: errors.append(message.text))
        context.on("weberror", lambda error: errors.append(str(error.error)))
        page = opened(context, server.address)
        expect(page.locator("#status")).to_have_text("Ready", timeout=WAIT)
        yield page
        assert errors == []
        assert {url for url in requests if not url.startswith(f"{server.address}/")} == set()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def compare(page: Page, texts: list[str] = TEXTS) -> float:
    page.fill("#first", texts[0])
    page.fill("#second", texts[1])
    page.get_by_role("button", name="Compare").click()
    return float(page.locator("#cosine").inner_text().replace("−", "-"))


def search(page: Page) -> dict[str, list[str]]:
    """The passages of each ranking, best first."""
    page.fill("#corpus", "\n".join(PASSAGES))
    page.fill("#query", QUERY)
    page.get_by_role("button", name="Search").click()
    page.locator(".ranking").first.wait_for()
    return {
        str(ranking.get_attribute("aria-label")): ranking.locator(".hit-text").all_inner_texts()
        for ranking in page.locator(".ranking").all()
    }


def copied(page: Page, part: str, language: str) -> str:
    """What the button copies."""
    box = page.locator(f"#{part}-snippet")
    if box.get_attribute("open") is None:
        box.locator("summary").click()
    box.get_by_label(language).check()
    box.get_by_role("button", name="Copy").click()
    expect(box.get_by_role("button", name="Copied")).to_be_visible()
    text = str(page.evaluate("navigator.clipboard.readText()"))
    assert text == box.locator("code").inner_text()
    return text


def run(command: str, **environment: str) -> list[Any]:
    """The answers of commands for a shell."""
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    done = subprocess.run(
        ["bash", "-ec", command], capture_output=True, check=True, timeout=30, env={**os.environ, **environment}
    )
    decoder, text, found = json.JSONDecoder(), done.stdout.decode(), []
    while text.strip():
        answer, end = decoder.raw_decode(text.lstrip())
        found.append(answer)
        text = text.lstrip()[end:]
    return found


def dot(answer: Any) -> float:
    first, second = (each["embedding"] for each in answer["data"])
    return float(sum(a * b for a, b in zip(first, second, strict=True)))


@on_screens
def test_models_are_shown_with_their_facts(page: Page) -> None:
    model = SentenceTransformer()
    info = model.info()
    row = page.locator(f"tr[data-model='{DENSE}']")
    shown = " ".join(row.inner_text().split())
    for fact in (DENSE, "text-embedding-3-small", "256", "no limit", info["engine"], info["dtype"], "Loaded"):
        assert str(fact) in shown
    row.get_by_role("button", name="Copy the fingerprint").click()
    expect(row.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == info["fingerprint"]
    assert "Reranker" in page.locator(f"tr[data-model='{RERANKER}']").inner_text()


def test_two_texts_have_the_similarity_that_python_gives(page: Page) -> None:
    model = SentenceTransformer()
    expected = float(model.similarity(*model.encode(TEXTS))[0][0])
    assert compare(page) == round(expected, 3)
    assert "256 dimensions" in page.locator("#similarity").inner_text()


def test_commands_that_are_copied_work(page: Page) -> None:
    shown = compare(page)
    (answer,) = run(copied(page, "compare", "curl"))
    assert round(dot(answer), 3) == shown
    compile(copied(page, "compare", "Python"), "copied", "exec")
    search(page)
    documents, query, ranked = run(copied(page, "search", "curl"))
    assert [len(each["data"]) for each in (documents, query)] == [len(PASSAGES), 1]
    assert len(ranked["results"]) == len(PASSAGES)
    compile(copied(page, "search", "Python"), "copied", "exec")


@on_screens
def test_search_ranks_as_python_does(page: Page, cross_encoder_folders: dict[int, Path]) -> None:
    model, reranker = SentenceTransformer(), CrossEncoder(cross_encoder_folders[1], backend="onnx")
    scores = model.similarity(model.encode_query([QUERY]), model.encode_document(PASSAGES))[0]
    best = [PASSAGES[place] for place in scores.argsort()[::-1]]
    ranks = [PASSAGES[each["corpus_id"]] for each in reranker.rank(QUERY, PASSAGES)]
    assert search(page) == {"By similarity": best, "Reranked": ranks}
    shown = [float(each.replace("−", "-")) for each in page.locator(".score").all_inner_texts()]
    assert shown[: len(PASSAGES)] == pytest.approx(sorted(scores, reverse=True), abs=6e-4)
    page.select_option("#search-reranker", "")
    assert list(search(page)) == ["By similarity"]


def test_a_large_corpus_is_sent_in_parts_and_only_once(page: Page) -> None:
    sizes: list[int] = []

    def note(request: Any) -> None:
        if request.url.endswith("/v1/embeddings"):
            sizes.append(len(request.post_data_json["input"]))

    page.on("request", note)
    page.select_option("#search-reranker", "")
    page.fill("#corpus", "\n".join(f"Passage number {number}." for number in range(150)))
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("The best 10 of 150 passages.")).to_be_visible()
    assert sizes == [64, 64, 22, 1]
    page.fill("#query", "another one")
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(300)
    assert sizes[4:] == [1]


@on_screens
def test_it_can_be_worked_by_keyboard(page: Page) -> None:
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]"))
        if seen[-1][0] == "second":
            break
    assert "first" in [name for name, _ in seen]
    assert {outline for name, outline in seen if name} == {"solid"}
    page.keyboard.press("Control+A")
    page.keyboard.type("a text by keyboard")
    page.keyboard.press("Control+Enter")
    page.locator("#cosine").wait_for()
    assert page.input_value("#second") == "a text by keyboard"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("#compare-snippet").get_attribute("open") is not None


def test_every_control_has_a_name_and_results_are_announced(page: Page) -> None:
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input,textarea,select,button')]"
        ".filter(e => !e.labels?.length && !e.textContent.trim() && !e.ariaLabel).map(e => e.outerHTML)"
    )
    assert unnamed == []
    for place in ("#similarity", "#hits", "#models-state"):
        assert page.locator(place).get_attribute("aria-live") == "polite"


@on_screens
def test_a_theme_is_chosen_and_kept(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    colors = {}
    for theme in ("Light", "Dark"):
        page.get_by_label(theme).check()
        colors[theme] = page.evaluate(ground)
    assert colors["Light"] != colors["Dark"]
    page.reload()
    assert page.evaluate(ground) == colors["Dark"]
    page.get_by_label("System").check()
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert page.evaluate(ground) == colors["Dark" if dark else "Light"]


def test_figures_are_fresh_while_the_page_is_seen(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    compare(page)
    expect(page.locator("#rate-detail")).to_contain_text("request", timeout=WAIT)
    expect(page.locator("#latency-value")).to_contain_text("ms", timeout=WAIT)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_timeout(500)
    asked.clear()
    page.wait_for_timeout(2500)
    assert asked == []
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(500)
    assert [url.rpartition("/")[2] for url in asked] == ["stats"]


def test_what_is_missing_is_said(page: Page) -> None:
    page.fill("#second", "  ")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("The second text is empty.")).to_be_visible()
    page.fill("#corpus", "\n \n")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("There are no passages")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "corpus"


def test_a_key_is_asked_for_and_kept_in_the_tab(context: BrowserContext, locked: Served) -> None:
    page = opened(context, locked.address)
    expect(page.get_by_text("This server asks for a key.")).to_be_visible()
    assert not page.locator("#models-table").is_visible()
    page.keyboard.type("a wrong one\n")  # the field has the focus
    expect(page.get_by_text("The server does not know this key.")).to_be_visible()
    page.keyboard.type(f"{KEY}\n")
    expect(page.locator("#status")).to_have_text("Ready")
    shown = compare(page)
    command = copied(page, "compare", "curl")
    assert KEY not in command
    assert KEY not in copied(page, "compare", "Python")
    assert round(dot(run(command, KEY=KEY)[0]), 3) == shown
    page.reload()
    expect(page.locator("#status")).to_have_text("Ready")
    assert KEY not in str(page.evaluate("JSON.stringify(localStorage)"))
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_text("This server asks for a key.")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_errors_of_the_server_are_shown_in_words(context: BrowserContext) -> None:
    with served(create_app(Config(max_texts=1))) as small:
        page = opened(context, small.address)
        page.get_by_role("button", name="Compare").click()
        failure = page.locator("#similarity .failed")
        expect(failure).to_contain_text("at most 1")
        assert "{" not in failure.inner_text()
        assert page.locator("#search-reranker-field").is_hidden()
        small.stop()
        page.get_by_role("button", name="Compare").click()
        expect(failure).to_contain_text("The server does not answer.")
        expect(page.locator("#status")).to_have_text("No answer")


def test_only_rerankers(context: BrowserContext, models: tuple[ModelConfig, ...]) -> None:
    with served(create_app(Config(models[1:]))) as one:
        page = opened(context, one.address)
        expect(page.get_by_text("No embedding model is served here.")).to_be_visible()
        assert list(search(page)) == ["Reranked"]


def test_models_that_are_loaded_at_their_first_use(context: BrowserContext, models: tuple[ModelConfig, ...]) -> None:
    with served(create_app(Config(models, lazy=True))) as lazy:
        page = opened(context, lazy.address)
        row = page.locator(f"tr[data-model='{DENSE}']")
        expect(row).to_contain_text("At first use")
        compare(page)
        expect(row).to_contain_text("Loaded")
        expect(row).to_contain_text("Embeddings")
        assert list(search(page)) == ["By similarity", "Reranked"]


def test_below_another_path(context: BrowserContext) -> None:
    inner = create_app()
    with served(Starlette(routes=[Mount("/ai", inner)], lifespan=inner.router.lifespan_context)) as outer:
        page = context.new_page()
        page.goto(f"{outer.address}/ai/")
        expect(page.locator("#status")).to_have_text("Ready")
        compare(page)
        (answer,) = run(page.locator("#compare-snippet code").text_content() or "")
        assert len(answer["data"]) == 2
