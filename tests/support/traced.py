"""Run Python code in a process whose network use is written down, with that of all Python processes that it starts."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_HOOK = """
import os, sys
_trace = os.open(os.environ["NETWORK_TRACE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def _hook(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        os.write(_trace, f"{arguments[0]}\\n".encode())
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(arguments[1], tuple):
        os.write(_trace, f"{arguments[1][0]}\\n".encode())
sys.addaudithook(_hook)
"""


@dataclass(frozen=True)
class Trace:
    """The hosts that were looked up or spoken to, the files below an empty home folder, and what was printed."""

    hosts: set[str]
    files: set[str]
    output: str


def traced(code: str, scratch: Path, **environment: str) -> Trace:
    """Run ``code``; raises CalledProcessError where it fails. ``scratch`` is an empty folder for the trace."""
    site, home, trace = scratch / "site", scratch / "home", scratch / "trace"
    for folder in (site, home):
        folder.mkdir(parents=True)
    (site / "sitecustomize.py").write_text(_HOOK)
    trace.touch()
    paths = os.pathsep.join([str(site), *filter(None, sys.path)])
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    own = {"PYTHONPATH": paths, "HOME": str(home), "NETWORK_TRACE": str(trace), "PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **own, **environment}, capture_output=True, text=True, timeout=300
    )
    if child.returncode:
        raise AssertionError(child.stdout + child.stderr)
    files = {path.relative_to(home).as_posix() for path in home.rglob("*")}
    return Trace(set(trace.read_text().split()), files, child.stdout)
