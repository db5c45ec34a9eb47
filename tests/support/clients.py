"""Clients of a server, each in an environment of its own, which is kept in .venv-clients/.

Remove that folder to have the newest clients.
"""

import json
import os
import re
import subprocess
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from tests.support.desktop_program import clean_environment, pip
from tests.support.readme import PAGES, ROOT, client_code

ENVIRONMENTS = ROOT / ".venv-clients"
PAGE = "docs/serving/clients"
#: where the page's server listens
SHOWN_ADDRESS = "http://localhost:8080"
_SECONDS = 120
_PROXIES = {"http_proxy", "https_proxy", "all_proxy"}
#: no client calls home
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "ANONYMIZED_TELEMETRY": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LANGSMITH_TRACING": "false",
}
_SHOW = """
import json as _json, sys as _sys
_found = {{{shown}}}
with open(_sys.argv[1], "w", encoding="utf-8") as _file:
    _json.dump(_found, _file, default=lambda value: value.tolist())
"""


@dataclass(frozen=True)
class Client:
    """An environment with a client, and a folder for what a program leaves behind."""

    python: Path
    folder: Path

    def run(
        self, code: str, address: str, environment: Mapping[str, str] | None = None, /, **shown: str
    ) -> dict[str, Any]:
        """The values of the expressions ``shown`` after ``code``, as JSON has them; arrays are lists.

        The server at ``address`` stands in for the one that the page shows.
        """
        assert SHOWN_ADDRESS in code, code
        script, result = self.folder / "script.py", self.folder / "result.json"
        ending = _SHOW.format(shown=", ".join(f"{name!r}: {value}" for name, value in shown.items()))
        script.write_text(code.replace(SHOWN_ADDRESS, address) + ending, encoding="utf-8")
        done = subprocess.run(
            [self.python, script, result],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            cwd=self.folder,
            env={**_environment(), "HOME": str(self.folder), **(environment or {})},
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found


def client_python(*requirements: str) -> Path:
    """The interpreter of an environment with ``requirements`` alone, which the first call makes."""
    name = re.sub(r"\W+", "-", requirements[0])
    folder = ENVIRONMENTS / name
    python, installed, wanted = folder / "bin" / "python", folder / "requirements.txt", "\n".join(requirements)
    ENVIRONMENTS.mkdir(exist_ok=True)
    with FileLock(ENVIRONMENTS / f"{name}.lock"):
        if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
            venv.create(folder, with_pip=True, clear=True)
            pip(python, "install", "--no-compile", *requirements)
            installed.write_text(wanted, encoding="utf-8")
    return python


def run_node(package: str, script: str, address: str) -> dict[str, Any]:
    """What a module for Node.js with ``package`` prints, as JSON; the server at ``address`` is the page's."""
    folder = ENVIRONMENTS / f"node-{package}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(ENVIRONMENTS / f"{folder.name}.lock"):
        if not (folder / "package-lock.json").exists():
            command = ["npm", "install", "--silent", "--no-fund", "--no-audit", package]
            subprocess.run(command, check=True, cwd=folder, timeout=_SECONDS)
    assert SHOWN_ADDRESS in script
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", script.replace(SHOWN_ADDRESS, address)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        cwd=folder,
        env=_environment(),
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def requirements_of(heading: str) -> list[str]:
    """What the page says to install for the client under ``heading``, if anything."""
    section = PAGES[PAGE].read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(r"`pip install ([^`]+)`", section)
    return [] if found is None else found[1].split()


def page_code(heading: str) -> str:
    """The Python under ``heading`` of the page."""
    return client_code(PAGE, heading)


def shell(heading: str, address: str) -> list[Any]:
    """What the shell lines under ``heading`` of the page print, one JSON value after the other."""
    code = client_code(PAGE, heading, "bash")
    assert SHOWN_ADDRESS in code
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code.replace(SHOWN_ADDRESS, address)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
        env=_environment(),
    )
    decoder, rest, found = json.JSONDecoder(), done.stdout.strip(), []
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return found


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in clean_environment().items() if name.lower() not in _PROXIES}
    return {**kept, **_QUIET, "PATH": os.environ["PATH"]}


def close(found: Any, expected: NDArray[Any]) -> None:
    """Assert that ``found``, as JSON has it, is ``expected``: whole vectors, to the last digits of float32."""
    assert np.shape(found) == expected.shape
    np.testing.assert_allclose(np.asarray(found, np.float64), expected, rtol=1e-5, atol=1e-6)
