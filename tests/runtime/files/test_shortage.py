"""What is lacking is told as that: not as a damaged file, a missing device or a folder that cannot be written."""

import errno
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_st_runtime.engines.backend import EngineOptions, open_backend
from edge_st_runtime.errors import DamagedFileError, DiskFullError, EdgeSTError, FolderError, ResourceError
from edge_st_runtime.files.reading import read_json
from edge_st_runtime.files.shortage import shortage
from edge_st_runtime.files.writing import writing
from edge_st_runtime.model.folder import read_folder
from tests.support.tiny_models import TinyModel


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), r"^loading x: there is not enough memory; free some, .* \(MemoryError\)$"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "not enough memory"),
        (RuntimeError("[ONNXRuntimeError] : 6 : std::bad_alloc"), "not enough memory"),
        (RuntimeError("Resource temporarily unavailable"), "not enough memory"),
        (OSError(errno.EMFILE, "Too many open files", "x"), r"too many files open; .* ulimit -n"),
        (Exception("Too many open files (os error 24)"), "too many files open"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
    ],
    ids=["memory", "ENOMEM", "bad_alloc", "threads", "EMFILE", "files", "ENOSPC", "quota"],
)
def test_what_is_lacking(error: Exception, message: str) -> None:
    found = shortage(error, "loading x")
    assert found is not None
    with pytest.raises(ResourceError, match=message):
        raise found


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), ValueError("x"), KeyError("memory")])
def test_other_causes(error: Exception) -> None:
    assert shortage(error, "loading x") is None


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (errno.ENOSPC, DiskFullError, "the disk is full; free some space"),
        (errno.EMFILE, ResourceError, "ulimit -n"),
        (errno.EACCES, FolderError, "make it writable, or write to another folder"),
    ],
    ids=["disk", "files", "permission"],
)
def test_writing(tmp_path: Path, code: int, kind: type[EdgeSTError], advice: str) -> None:
    with pytest.raises(kind, match=f"^cannot write to .*{advice}") as caught, writing(tmp_path):
        raise OSError(code, os.strerror(code))
    assert ("make it writable" in str(caught.value)) == (code == errno.EACCES)
    assert issubclass(DiskFullError, FolderError)  # what callers caught before


@pytest.fixture
def no_descriptors() -> Iterator[None]:
    """No further file can be opened."""
    limits, held = resource.getrlimit(resource.RLIMIT_NOFILE), list[int]()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, limits[0]), limits[1]))
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
def folder(tmp_path: Path, engine: str) -> Path:
    """A model whose engine is imported already, as it is where a process runs out later."""
    found = TinyModel().save(tmp_path)
    open_backend(engine, found / "onnx" / "model.onnx", EngineOptions(1))
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limits of Linux")
def test_no_descriptors(folder: Path, engine: str, no_descriptors: None) -> None:
    graph = folder / "onnx" / "model.onnx"
    for load in (
        lambda: read_folder(folder),
        lambda: read_json(folder / "config.json"),
        lambda: open_backend(engine, graph, EngineOptions(1)),
    ):
        with pytest.raises(ResourceError, match="too many files open"):
            load()


def test_a_damaged_graph_is_still_called_so(folder: Path, engine: str) -> None:
    graph = folder / "onnx" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:1000])
    with pytest.raises(DamagedFileError):
        open_backend(engine, graph, EngineOptions(1))
