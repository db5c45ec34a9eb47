"""Write docs/places/wheels.md: which wheels the package index has, for every platform and Python.

    python .ci/wheels.py            write the page
    python .ci/wheels.py --check    say what differs from the page, and exit with 1 where something does

It needs the package `packaging`. PIP_INDEX_URL names another index than PyPI; it must serve JSON (PEP 691).
"""

import argparse
import difflib
import json
import os
import re
import sys
import tomllib
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "places" / "wheels.md"
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.14t", "3.15")
ENGINES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
PACKAGES = {**ENGINES, "tokenizers": "tokenizers", "numpy": "NumPy"}
#: a platform, and the platform tags that it installs; the groups are the least version of its system
PLATFORMS = {
    "Linux, x86_64": r"manylinux_(\d+)_(\d+)_x86_64",
    "Linux, ARM64": r"manylinux_(\d+)_(\d+)_aarch64",
    "Linux, ARM 32 bits (armv7l)": r"manylinux_(\d+)_(\d+)_armv7l",
    "Alpine (musl), x86_64": r"musllinux_(\d+)_(\d+)_x86_64",
    "Alpine (musl), ARM64": r"musllinux_(\d+)_(\d+)_aarch64",
    "macOS, Apple silicon": r"macosx_(\d+)_(\d+)_(?:arm64|universal2)",
    "macOS, Intel": r"macosx_(\d+)_(\d+)_(?:x86_64|universal2)",
    "Windows, x86_64": r"win_amd64",
    "Windows, ARM64": r"win_arm64",
}
SYSTEMS = {"manylinux": "glibc", "musllinux": "musl", "macosx": "macOS"}
#: what manylinux tags were called before they named glibc
OLDER = {"manylinux2014_": "manylinux_2_17_", "manylinux2010_": "manylinux_2_12_", "manylinux1_": "manylinux_2_5_"}
HEAD = """\
# Wheels

What the package index had on the day of this page's last commit. `python .ci/wheels.py` reads it and writes the page.

A cell is the newest version that has a wheel, and the least system that the wheel wants. "–" is no wheel. 3.14t is
Python 3.14 without its global lock. edge-st itself is pure Python.

## What runs
"""


@dataclass(frozen=True)
class Wheel:
    """A wheel of the index: its version, and its tags."""

    version: Version
    tags: frozenset[Tag]


@dataclass(frozen=True)
class Found:
    """The newest version that has a fitting wheel, and the least version of the system that it wants."""

    version: Version
    system: str
    least: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.version}, {self.system} {'.'.join(map(str, self.least))}" if self.least else str(self.version)


def wheels(package: str) -> list[Wheel]:
    """Released wheels of the versions that edge-st takes, the newest first."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
    accepted = {"Accept": "application/vnd.pypi.simple.v1+json"}
    with urllib.request.urlopen(urllib.request.Request(f"{index}/{package}/", headers=accepted)) as answer:  # noqa: S310
        files = json.load(answer)["files"]
    found = [wheel for file in files if not file.get("yanked") and (wheel := _wheel(file["filename"]))]
    taken = required()[package]
    found = [wheel for wheel in found if wheel.version in taken.specifier]
    return sorted(found, key=lambda each: each.version, reverse=True)


def newest(found: Iterable[Wheel], platform: str, python: str) -> Found | None:
    """The newest version with a wheel for a platform and a Python."""
    fitting = [
        Found(wheel.version, *least)
        for wheel in found
        for tag in wheel.tags
        if (tag.interpreter, tag.abi) in taken_by(python) and (least := _system(tag.platform, platform))
    ]
    latest = max((each.version for each in fitting), default=None)
    return min((each for each in fitting if each.version == latest), key=lambda each: each.least, default=None)


def older_systems(found: list[Wheel], platform: str) -> Iterator[Found]:
    """The newest version for each least version of a system, from the newest system on."""
    last: tuple[int, ...] | None = None
    for version in sorted({wheel.version for wheel in found}, reverse=True):
        of_version = [wheel for wheel in found if wheel.version == version]
        best = [best for python in PYTHONS if (best := newest(of_version, platform, python))]
        least = min(best, key=lambda each: each.least, default=None)
        if least is not None and (last is None or least.least < last):
            last = least.least
            yield least


@cache
def taken_by(python: str) -> frozenset[tuple[str, str]]:
    """The pairs of interpreter and ABI that a Python installs."""
    number = tuple(map(int, python.rstrip("t").split(".")))
    interpreter = f"cp{number[0]}{number[1]}"
    abi = interpreter + "t" * python.endswith("t")
    tags = [*cpython_tags(number, [abi], ["any"]), *compatible_tags(number, interpreter, ["any"])]
    return frozenset((tag.interpreter, tag.abi) for tag in tags)


@cache
def required() -> dict[str, Requirement]:
    """The requirements of pyproject.toml, its extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


def page(found: dict[str, list[Wheel]]) -> str:
    """The page's text."""
    lines = [HEAD, *_table(lambda platform, python: _runs(found, platform, python))]
    for package, name in PACKAGES.items():
        lines += ["", f"## {name}", "", f"edge-st takes {required()[package].specifier}.", ""]
        lines += _table(lambda platform, python, of=package: str(newest(found[of], platform, python) or "–"))
    lines += ["", "## Older systems", "", "The newest version for every age of a system.", ""]
    lines += ["| package | platform | versions |", "|---|---|---|"]
    for package, name in PACKAGES.items():
        for platform in PLATFORMS:
            ages = list(older_systems(found[package], platform))
            if len(ages) > 1:
                lines.append(f"| {name} | {platform} | {'; '.join(map(str, ages))} |")
    return "\n".join([*lines, ""])


def _runs(found: dict[str, list[Wheel]], platform: str, python: str) -> str:
    """Which engines run; without one static models do."""
    if not all(newest(found[package], platform, python) for package in PACKAGES if package not in ENGINES):
        return "–"
    engines = [name for package, name in ENGINES.items() if newest(found[package], platform, python)]
    return ", ".join(engines) or "static models alone"


def _table(cell: Callable[..., str]) -> list[str]:
    head = ["platform", *PYTHONS]
    rows = [[platform, *(cell(platform, python) for python in PYTHONS)] for platform in PLATFORMS]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _wheel(filename: str) -> Wheel | None:
    try:
        _, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:  # another kind of file
        return None
    return None if version.is_prerelease else Wheel(version, tags)


def _system(tag: str, platform: str) -> tuple[str, tuple[int, ...]] | None:
    """The system of a platform tag, and its least version; None where ``platform`` does not install it."""
    if tag == "any":
        return "", ()
    for old, new in OLDER.items():
        tag = tag.replace(old, new)
    match = re.fullmatch(PLATFORMS[platform], tag)
    return match and (SYSTEMS.get(tag.partition("_")[0], ""), tuple(map(int, match.groups())))


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the page is old")
    check = parser.parse_args().check
    text = page({package: wheels(package) for package in PACKAGES})
    if not check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    old = PAGE.read_text(encoding="utf-8")
    changes = list(difflib.unified_diff(old.splitlines(), text.splitlines(), "the page", "the index", n=0, lineterm=""))
    print("\n".join([*changes, "write the page again with: python .ci/wheels.py"] if changes else ["up to date"]))
    return bool(changes)


if __name__ == "__main__":
    sys.exit(main())
