"""``edge-st index`` in a test: the command, what it prints, and what an index holds."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from edge_st import Index
from edge_st.cli import main
from edge_st_runtime.errors import FolderError
from tests.support.tiny_tokenizers import WORDS

TEXTS = {
    "bread": "Knead the dough and let it rise before you bake the bread in a hot oven.",
    "orbit": "The satellite circles the earth once every ninety minutes in a low orbit.",
    "taxes": 'Income tax returns, "all of them",\nmust reach the tax office in July.',
}
LONG = " ".join(f"{' '.join(WORDS[at : at + 5])}." for at in range(0, 25, 5))


class IndexCommand:
    """Runs the actions in this process; those that must succeed give what ``--json`` prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, action: str, *arguments: str | Path) -> dict[str, Any]:
        """The JSON document of an action that succeeds."""
        assert main(["index", action, "--json", *map(str, arguments)]) == 0, self._capsys.readouterr().err
        document: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return document

    def says(self, action: str, *arguments: str | Path) -> str:
        """What an action that succeeds prints."""
        assert main(["index", action, *map(str, arguments)]) == 0, self._capsys.readouterr().err
        return self._capsys.readouterr().out

    def fails(self, action: str, *arguments: str | Path, code: int = 1) -> str:
        """The error of an action that fails, and nothing else."""
        assert main(["index", action, *map(str, arguments)]) == code
        captured = self._capsys.readouterr()
        assert captured.out == ""
        assert code == 2 or captured.err.splitlines()[-1].startswith("edge-st: error: ")
        return captured.err


def content(path: Path) -> dict[str | int, dict[str, Any]]:
    """Every row of the index in ``path`` by its id."""
    index = Index.open(path)
    ids = index.ids()
    return dict(zip(ids, index.get(ids), strict=True))


def texts_of(path: Path) -> dict[str | int, str]:
    """The text of every row by its id."""
    return {name: row["text"] for name, row in content(path).items()}


def first_rows(path: Path) -> int:
    """How many rows there are when a writer has written some; 0 where that takes too long."""
    for _ in range(600):
        with contextlib.suppress(FolderError):
            if rows := len(Index.open(path)):
                return rows
        time.sleep(0.05)
    return 0


def write_jsonl(path: Path, *rows: dict[str, Any]) -> Path:
    """A file with an object a line."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path
