"""A notebook, in a real kernel: a running event loop, progress bars, and processes of a program that is no file."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.desktop_program import clean_environment, new_environment

CELLS = [
    "from edge_st import SentenceTransformer\nmodel = SentenceTransformer('all-MiniLM-L6-v2')",
    "print(model.encode(['a', 'b'], show_progress_bar=True).shape)",
    "import asyncio\nprint((await asyncio.to_thread(model.encode, ['a'])).shape)",
    "pool = model.start_multi_process_pool(['cpu', 'cpu'])\n"
    "print(model.encode(['a'] * 20, pool=pool, show_progress_bar=True).shape)\n"
    "model.stop_multi_process_pool(pool)",
]
RUN = """
import json, sys
import nbclient, nbformat

book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in json.loads(sys.argv[1])])
nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
for cell in book.cells:
    print(repr("".join(out.get("text") or " ".join(out["data"]) for out in cell.outputs)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("widgets", [[], ["ipywidgets"]], ids=["bars as text", "bars as widgets"])
def test_a_notebook_encodes_shows_bars_and_starts_processes(widgets: list[str], tmp_path: Path) -> None:
    python = new_environment(tmp_path / "env", "ipykernel", "nbclient", *widgets)
    done = subprocess.run(
        [python, "-c", RUN, json.dumps(CELLS)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**clean_environment(), "PATH": f"{python.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    bar = "widget-view" if widgets else "100%"
    _, encoded, in_a_loop, pooled = done.stdout.splitlines()
    assert (bar in encoded, "(2, 384)" in encoded) == (True, True)
    assert "(1, 384)" in in_a_loop
    assert (bar in pooled, "(20, 384)" in pooled) == (True, True)
