"""What the page of clients shows is run: each part has a test here."""

import re
from pathlib import Path

from tests.support.clients import PAGE
from tests.support.readme import blocks

_RUN = re.compile(r'\b(page_code|shell)\("([^"]+)"')
_LANGUAGES = {"page_code": "python", "shell": "bash"}


def test_every_part_has_its_test() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    run = {(heading, _LANGUAGES[function]) for function, heading in _RUN.findall(code)}
    shown = {(block.heading, block.language) for block in blocks(PAGE) if block.place == "client"}
    assert run == shown


def test_the_page_has_parts() -> None:
    """So that a change of the marks does not pass for a page without clients."""
    assert len([block for block in blocks(PAGE) if block.place == "client"]) > 10
