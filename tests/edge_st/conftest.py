import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_st import CrossEncoder, MultiVectorEncoder, SentenceTransformer, SparseEncoder
from edge_st.models.classes import Model
from tests.support.hub_server import HubServer, hub_server, use
from tests.support.tiny_multi_vector import save_multi_vector
from tests.support.tiny_pair_models import ONE, SPARSE, THREE

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def running() -> Iterator[HubServer]:
    with hub_server() as server:
        yield server


@pytest.fixture(scope="session")
def cross_encoder_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Folders of cross-encoders by their number of labels."""
    return {tiny.labels: tiny.save(tmp_path_factory.mktemp("pairs")) for tiny in (ONE, THREE)}


@pytest.fixture(scope="session")
def cross_encoder(cross_encoder_folders: dict[int, Path], engine: str) -> CrossEncoder:
    """The one with one label."""
    return CrossEncoder(cross_encoder_folders[1], backend=engine, num_threads=2)


@pytest.fixture(scope="session")
def sparse_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SPLADE model's folder."""
    return SPARSE.save(tmp_path_factory.mktemp("models") / "sparse")


@pytest.fixture(scope="session")
def multi_vector_folder(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A late-interaction model's folder."""
    return save_multi_vector(tmp_path_factory.mktemp("models") / "late", tiny_folder)


@pytest.fixture(scope="session")
def models(cross_encoder_folders: dict[int, Path], sparse_folder: Path, multi_vector_folder: Path) -> dict[str, Model]:
    """The bundled model and tiny ones of the other kinds, on one engine."""
    return {
        "dense": SentenceTransformer(),
        "sparse": SparseEncoder(sparse_folder, backend="onnx"),
        "late": MultiVectorEncoder(multi_vector_folder, backend="onnx"),
        "cross": CrossEncoder(cross_encoder_folders[1], backend="onnx"),
        "classifier": CrossEncoder(cross_encoder_folders[3], backend="onnx"),
    }


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium. While it is there, this thread runs an event loop: so it is not kept longer."""
    from tests.support.browsers import chromium

    with chromium() as found:
        yield found


class InThisProcess:
    """What runs a model in a process of its own, without one."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.found: Any = None

    def __enter__(self) -> "InThisProcess":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Any, *arguments: Any) -> "InThisProcess":
        self.found = function(*arguments)
        return self

    def result(self) -> Any:
        return self.found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons and measurements run models in this process, which is quicker."""
    monkeypatch.setattr("edge_st.models.processes.ProcessPoolExecutor", InThisProcess)


@pytest.fixture
def hub(running: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubServer:
    running.reset()
    return use(running, monkeypatch, tmp_path)


_FORKED = """
import os, sys
import numpy as np
{setup}
folder, engine, out = sys.argv[1:]
model = Model(folder, backend=engine, num_threads=2)
np.save(f"{{out}}/parent.npy", call(model))
pid = os.fork()
if pid == 0:
    np.save(f"{{out}}/child.npy", call(model))
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.fixture
def run_forked(tmp_path: Path) -> Callable[[str, Path, str], tuple[Any, Any]]:
    """What a script's ``call(Model(folder))`` gives in a process of its own, and in a child forked from that."""

    def run(setup: str, folder: Path, engine: str) -> tuple[Any, Any]:
        script = _FORKED.format(setup=setup)
        command = [sys.executable, "-W", "ignore", "-c", script, str(folder), engine, str(tmp_path)]
        subprocess.run(command, check=True, timeout=60, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        return np.load(tmp_path / "parent.npy"), np.load(tmp_path / "child.npy")

    return run
