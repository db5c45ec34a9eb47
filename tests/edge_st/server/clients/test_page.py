"""What the page of clients shows is run: each part has a test here."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.clients import PAGE, client_python, requirements_of
from tests.support.readme import blocks

_RUN = re.compile(r'\b(page_code|shell)\("([^"]+)"')
PARTS = dict.fromkeys(block.heading for block in blocks(PAGE) if block.place == "client")
_LANGUAGES = {"page_code": "python", "shell": "bash"}


def test_every_part_has_its_test() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    run = {(heading, _LANGUAGES[function]) for function, heading in _RUN.findall(code)}
    shown = {(block.heading, block.language) for block in blocks(PAGE) if block.place == "client"}
    assert run == shown


def test_the_page_has_parts() -> None:
    """So that a change of the marks does not pass for a page without clients."""
    assert len(PARTS) > 10


@pytest.mark.slow
@pytest.mark.parametrize("heading", [each for each in PARTS if requirements_of(each)])
def test_no_client_brings_pytorch(heading: str) -> None:
    """They fit on the machines that edge-st is for."""
    python = client_python(*requirements_of(heading))
    script = "import importlib.util; print(importlib.util.find_spec('torch'))"
    assert subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout == "None\n"
