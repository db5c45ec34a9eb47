"""A machine without descriptors, memory or /proc, and files beyond any size that their kind needs: told as such."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edge_st import SentenceTransformer
from edge_st_runtime.errors import DamagedFileError, FolderError, ResourceError
from edge_st_runtime.files.reading import read_json
from edge_st_runtime.files.regular import file_error
from tests.support.tiny_graphs import store_outside
from tests.support.tiny_models import TinyModel, graph_entry, write_record

WITHOUT_PROC = """
mount -t tmpfs none /proc && exec "$0" -c '
import sys
from edge_st import EdgeSTError, SentenceTransformer
try:
    print(SentenceTransformer(sys.argv[1], backend="onnx").encode("a").shape)
except EdgeSTError as error:
    print(type(error).__name__, error)
' "$1"
"""


@contextmanager
def descriptors(free: int) -> Iterator[None]:
    """This process may open ``free`` files more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.dup(0)]
    used = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(held[0], *used) + 1, hard))
    try:
        with suppress(OSError):
            while True:
                held.append(os.dup(0))
        for _ in range(free):
            os.close(held.pop())
        yield
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("recorded", [True, False], ids=["with a record", "without a record"])
@pytest.mark.parametrize("free", [0, 1])
def test_too_few_descriptors(free: int, recorded: bool, engine: str, tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path)
    store_outside(folder / "onnx" / "model.onnx", "weights.bin")
    if recorded:
        write_record(folder, [graph_entry("onnx/model.onnx", engine)])
    SentenceTransformer(folder, backend=engine, num_threads=1)
    with descriptors(free), pytest.raises(ResourceError, match=r"too many files open; .*ulimit -n"):
        SentenceTransformer(folder, backend=engine, num_threads=1)


def test_no_proc(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path)
    store_outside(folder / "onnx" / "model.onnx", "weights.bin")
    command = ["unshare", "--mount", "sh", "-c", WITHOUT_PROC, sys.executable, str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no name space of its own here: {done.stderr}")
    assert done.stdout.startswith("EngineError ONNX Runtime cannot load"), done
    assert "where /proc is missing" in done.stdout
    assert "mount -t proc proc /proc" in done.stdout


def test_out_of_memory_while_reading() -> None:
    assert type(file_error(Path("x"), MemoryError(), "")) is ResourceError


@pytest.mark.parametrize(
    "name", ["config.json", "modules.json", "edge_st.json", "tokenizer.json", "config_sentence_transformers.json"]
)
def test_a_file_beyond_any_size_that_it_needs(name: str, tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path)
    with (folder / name).open("wb") as file:
        file.truncate(1 << 33)  # a hole: it takes no room on the disk
    with pytest.raises(DamagedFileError, match=rf"{name} has 8589934592 bytes; expected no more than"):
        SentenceTransformer(folder, backend="onnx")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_this_user_may_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    (tmp_path / "x.json").chmod(0)
    with pytest.raises(FolderError, match=r"chmod u\+r"):
        read_json(tmp_path / "x.json")
