"""The example of a desktop application: frozen by PyInstaller, started on a screen of its own, used by its keys."""

import os
import shutil
import subprocess
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "desktop_search" / "app.py"
NOTES = ROOT / "tests" / "data" / "notes.md"
#: Debian's packages of the same names have them, and imagemagick has import
TOOLS = ("Xvfb", "xdotool", "import")
_PATIENCE = 60
#: xdg-open: it only writes down what it was asked to open
_OPENER = '#!/bin/sh\necho "$1" >>"$OPENED"\n'


@dataclass(frozen=True)
class Seconds:
    """From the start of the program to its window, and to the first note that it opened."""

    window: float
    opened: float


def missing_tools() -> list[str]:
    """The programs that this machine lacks."""
    return [name for name in TOOLS if shutil.which(name) is None]


def write_notes(folder: Path) -> Path:
    """Write the notes, 53 files in seven folders, into ``folder``."""
    for part in NOTES.read_text(encoding="utf-8").split("## ")[1:]:
        name, _, text = part.partition("\n")
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def new_environment(folder: Path, *requirements: str) -> Path:
    """The interpreter of a new environment with edge-st from this checkout, its packaged model and ``requirements``."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    own = [f"{ROOT}[onnx]", str(ROOT / "models" / "all-minilm-l6-v2")]
    pip(python, "install", "--no-compile", *own, *requirements)
    return python


def pip(python: Path, *arguments: str) -> None:
    """Run pip in the environment of ``python``."""
    subprocess.run([python, "-m", "pip", "--quiet", *arguments], check=True, env=clean_environment())


def freeze(python: Path, folder: Path, program: Path = PROGRAM, *options: str) -> Path:
    """What ``pyinstaller program`` makes below ``folder``: the executable file."""
    command = [python, "-m", "PyInstaller", "--log-level", "WARN", "--noconfirm", *options, program]
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, check=True, cwd=folder, env=clean_environment())
    made = folder / "dist" / program.stem
    return made / program.stem if made.is_dir() else made


def clean_environment() -> dict[str, str]:
    """The environment variables without PYTHONPATH, which would hide what is installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def megabytes(path: Path) -> float:
    """The size of a file, or of all files below a folder."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file() and not each.is_symlink()]
    return sum(each.stat().st_size for each in files) / 1e6


@contextmanager
def screen() -> Iterator[dict[str, str]]:
    """The environment variables of a virtual screen, which is there for a ``with`` block."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "720x600x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as number:
            display = f":{number.readline().strip()}"
        try:
            yield {**clean_environment(), "DISPLAY": display}
        finally:
            server.terminate()


def use(program: list[str | Path], folder: Path, query: str, expected: Path, picture: Path | None = None) -> Seconds:
    """Start ``program``, type ``query``, press Enter until it opens the note ``expected``, and close it with Ctrl-Q.

    While it reads notes, the best one known by then may be opened. The program has no standard streams. Its data lies
    in ``folder``. Raises AssertionError where anything takes longer than a minute.
    """
    folder.mkdir(exist_ok=True)
    opened = folder / "opened.txt"
    opened.write_text("")
    (folder / "xdg-open").write_text(_OPENER)
    (folder / "xdg-open").chmod(0o755)
    own = {"OPENED": str(opened), "XDG_DATA_HOME": str(folder), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    with screen() as variables:
        began = time.perf_counter()
        command = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', *program]
        with subprocess.Popen(command, env={**variables, **own}) as process:
            try:
                window = _until(lambda: _windows(variables))
                shown = time.perf_counter() - began
                _xdotool(variables, "windowfocus", "--sync", window, "type", "--delay", "5", query)
                _until(lambda: str(expected) in _opened(variables, opened))
                found = time.perf_counter() - began
                if picture is not None:
                    subprocess.run(["import", "-window", "root", picture], check=True, env=variables)
                _xdotool(variables, "key", "ctrl+q")
                assert process.wait(timeout=_PATIENCE) == 0
            finally:
                process.kill()
    return Seconds(shown, found)


def _windows(variables: Mapping[str, str]) -> str:
    return _xdotool(variables, "search", "--onlyvisible", "--class", "Notes", check=False).partition("\n")[0]


def _opened(variables: Mapping[str, str], opened: Path) -> list[str]:
    _xdotool(variables, "key", "Return")
    return opened.read_text().splitlines()


def _xdotool(variables: Mapping[str, str], *arguments: str, check: bool = True) -> str:
    command = ["xdotool", *arguments]
    return subprocess.run(command, check=check, capture_output=True, text=True, env=variables).stdout


def _until(found: Callable[[], T]) -> T:
    """The first true answer; raises AssertionError after a minute."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"nothing for {_PATIENCE} seconds")
