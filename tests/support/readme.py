"""The documentation's pages and their code blocks, so that the tests can run them.

CONTRIBUTING.md says what each fence means.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from edge_st.cli import main
from tests.support.command_parsers import options_of
from tests.support.tiny_graphs import TinyGraph
from tests.support.tiny_heads import TinyHeads
from tests.support.tiny_models import TinyModel
from tests.support.tiny_multi_vector import save_multi_vector
from tests.support.tiny_pair_models import SPARSE, TinyCrossEncoder

ROOT = Path(__file__).parents[2]
PACKAGED = ROOT / "models" / "all-minilm-l6-v2" / "edge_st_model_all_minilm_l6_v2" / "model"
FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = {path.relative_to(ROOT).with_suffix("").as_posix(): path for path in FILES}
LANGUAGES = {"python", "bash", "sh", "text", "json", "toml", "yaml"}
_FENCE = re.compile(
    r"^(?:<!-- (?P<place>export|client) -->\n)?```(?P<language>[^\n]*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_OPERATORS = {"|", ">", "<", "&&", ";"}
_EDGE_ST = f'edge-st() {{ "{sys.executable}" -m edge_st "$@"; }}'
_LIMIT = 64


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its code, the place where it runs, and the heading above it.

    The place "export" is where models are exported, "client" where a client of a running server is installed.
    """

    language: str
    code: str
    place: str | None
    heading: str


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page, in order."""
    text = PAGES[page].read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        headings = _HEADING.findall(text[: found.start()])
        yield Block(found["language"], found["code"], found["place"], headings[-1] if headings else "")


def code(page: str, language: str, *, export: bool = False) -> str:
    """A page's blocks of a language that run in one environment, one after the other."""
    place = "export" if export else None
    return "\n".join(each.code for each in blocks(page) if (each.language, each.place) == (language, place))


def client_code(page: str, heading: str, language: str = "python") -> str:
    """The blocks under a heading that run where a client of a server is installed, one after the other."""
    wanted = ("client", heading, language)
    found = (each.code for each in blocks(page) if (each.place, each.heading, each.language) == wanted)
    return "\n".join(found)


def pages_with(language: str, *, export: bool = False) -> list[str]:
    """The names of the pages that have such blocks."""
    return [page for page in PAGES if code(page, language, export=export)]


def run_python(page: str, *, export: bool = False) -> None:
    """Execute a page's Python in one namespace."""
    exec(compile(code(page, "python", export=export), PAGES[page], "exec"), {"__name__": "__main__"})


def run_shell(page: str, *, export: bool = False) -> None:
    """Run a page's shell lines, calls of ``edge-st`` alone in this process, which is quicker; each must exit with 0."""
    for line in _lines(code(page, "bash", export=export)):
        name, *arguments = shlex.split(line)
        if name == "edge-st" and not _OPERATORS.intersection(arguments):
            assert main(arguments) == 0, line
        else:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            script = f"{_EDGE_ST}\n{line}"
            subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True, timeout=60, env=environment)


def commands(page: str) -> list[str]:
    """The lines of a page's shell blocks, also of those that do not run, that call ``edge-st``."""
    shell = [each.code for each in blocks(page) if each.language in ("bash", "sh")]
    return [line for each in shell for line in _lines(each) if line.startswith("edge-st ")]


def _lines(shell: str) -> list[str]:
    """The lines of a script with continued ones as one, without comments."""
    lines = (re.sub(r"\s+#.*", "", line) for line in shell.replace("\\\n", " ").splitlines())
    return [line for line in lines if line.strip()]


def write_files(folder: Path) -> None:
    """What the pages take to be there: texts, data sets and models."""
    (folder / "notes").mkdir()
    (folder / "notes" / "admin.md").write_text(
        "The certificate is renewed with make renew.\n\nE4711: the disk is full.\n"
    )
    (folder / "notes" / "old.md").write_text("Lunch is at noon.\n")
    (folder / "texts.txt").write_text("How warm is it?\nIs it raining?\n")
    (folder / "documents.txt").write_text("Error E4711: the disk is full.\nLunch is at noon.\n")
    (folder / "more.jsonl").write_text(json.dumps({"id": "a1", "text": "The sun shines.", "lang": "en"}) + "\n")
    (folder / "tickets.csv").write_text("id,text,lang\nt1,The printer is broken.,en\n")
    pairs = [("A dog runs.", "A puppy is running."), ("It rains.", "The sun shines."), ("She sings.", "Prices rose.")]
    rows = [f"{5 - 2 * place}\t{first}\t{second}\n" for place, (first, second) in enumerate(pairs)]
    (folder / "sts.tsv").write_text("".join(rows))


def write_models(folder: Path) -> None:
    """The models that the pages name: the packaged one, and small ones of the other classes."""
    (folder / "all-MiniLM-L6-v2").symlink_to(PACKAGED)
    graph = TinyGraph(outputs={"sentence_embedding": "mean"}, own_positions=_LIMIT)
    TinyCrossEncoder(limit=_LIMIT, graph=graph).save(folder / "models" / "reranker")
    replace(SPARSE, limit=_LIMIT).save(folder / "models" / "splade")
    TinyHeads().save(folder / "models" / "bge-m3")
    with TemporaryDirectory() as plain:
        save_multi_vector(folder / "models" / "colbert", TinyModel(limit=_LIMIT).save(Path(plain) / "model"))


def make_world(folder: Path) -> Path:
    """A copy of the files of a page's folder; models are read only, and shared."""
    write_files(folder)
    write_models(folder)
    return folder


def copy_world(world: Path, folder: Path) -> Path:
    """The world anew in an empty folder."""
    return Path(shutil.copytree(world, folder, symlinks=True, dirs_exist_ok=True))


def undescribed_options(parsers: Mapping[str, argparse.ArgumentParser]) -> list[str]:
    """The options of ``parsers`` that docs/command-line.md does not name in the section of their command."""
    text = PAGES["docs/command-line"].read_text(encoding="utf-8")
    sections = {each.partition("\n")[0]: each for each in text.split("\n## ")[1:]}
    return [
        f"{name} {option}"
        for name, parser in parsers.items()
        for option in options_of(parser)
        if option != "--help" and option not in sections.get(name, "")
    ]


def parse(line: str, parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    """Parse a line that calls ``edge-st``, as far as its command is among ``parsers``; return the command."""
    name, *arguments = shlex.split(re.split(r" [|>&]", line)[0])[1:]
    if name in parsers:
        parsers[name].parse_args(arguments)
    return name
