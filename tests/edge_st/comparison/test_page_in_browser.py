"""The page of a comparison as Chromium shows it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from edge_st.comparison.page import write_page
from tests.support.comparison_results import VARIANTS, plausible

DATA_SETS = 2
BOXES = """
selector => [...document.querySelectorAll(selector)].map(e => e.getBoundingClientRect()).map(b => [b.width, b.height])
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(plausible(), path, "<script>alert(1)</script>")
    return path.as_uri()


@pytest.fixture(params=[("light", 1200), ("dark", 390)], ids=["light desktop", "dark phone"])
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The opened page; it must cause no errors and load no other files."""
    scheme, width = request.param
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
        errors: list[str] = []
        requests: list[str] = []
        context.on("request", lambda asked: requests.append(asked.url))
        context.on("console", lambda message: errors.append(message.text))
        context.on("weberror", lambda error: errors.append(str(error.error)))
        opened = context.new_page()
        opened.goto(address, wait_until="networkidle")
        yield opened
        assert errors == []
        assert requests == [address]


def boxes(page: Page, selector: str) -> list[tuple[float, float]]:
    return [(width, height) for width, height in page.evaluate(BOXES, selector)]


def test_every_chart_is_drawn(page: Page) -> None:
    charts = boxes(page, "svg")
    assert len(charts) == DATA_SETS * (1 + len(VARIANTS))
    assert all(width > 100 and height > 100 for width, height in charts)
    for kind in ("point", "interval", "number"):
        drawn = boxes(page, f"svg [id*='-{kind}-']")
        assert len(drawn) == DATA_SETS * len(VARIANTS)
        assert all(max(box) > 3 for box in drawn)
    for kind in ("known", "random", "threshold"):
        drawn = boxes(page, f"svg [id$='-{kind}'] path")
        assert len(drawn) == DATA_SETS * len(VARIANTS)
        assert all(height > 20 for _, height in drawn)


def test_charts_have_the_colour_of_the_text(page: Page) -> None:
    colors = page.evaluate(
        "() => [...new Set([...document.querySelectorAll('svg text[style*=currentColor]')]"
        ".map(text => getComputedStyle(text).fill))]"
    )
    assert colors == [page.evaluate("() => getComputedStyle(document.body).color")]


def test_it_fits_the_screen(page: Page) -> None:
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= page.evaluate("() => innerWidth")
    assert page.title() == "<script>alert(1)</script>"
    page.locator("summary").first.click()
    assert page.locator("details[open] table").is_visible()
