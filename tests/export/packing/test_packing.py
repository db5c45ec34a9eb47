"""Models as packages: packed, installed by pip, and found by name where nothing can be downloaded."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_st import SentenceTransformer
from edge_st_export import ExportReport, pack_project, pack_wheel
from edge_st_export.packing.cli import add_pack
from edge_st_runtime.errors import DamagedFileError, EdgeSTError, MissingFileError, NotAFolderError, OptionError
from edge_st_runtime.model.record import read_record
from tests.export.zoo.examining import Zoo
from tests.support.hub_models import contents
from tests.support.tiny_models import MEAN, NORMALIZE, TinyModel, graph_entry, write_record

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMMIT = "c" * 40
CARD = "---\nlicense: mit\n---\n# Tiny\n"
GRAPHS = ("onnx/model.onnx", "onnx/model_qint8_avx2.onnx")
TEXTS = ["the quick fox", "a good day", ""]
ENCODE = """
import sys
import numpy as np
from edge_st import SentenceTransformer
name, texts, out = sys.argv[1], sys.argv[2:-1], sys.argv[-1]
model = SentenceTransformer(name)
np.save(out, model.encode(texts))
print(model.info()["path"], any(module.startswith("edge_st_model") for module in sys.modules))
"""


@pytest.fixture(scope="session")
def packable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder with two graphs, of which the first has weights in another file, and more than is needed."""
    model = TinyModel(modules=(MEAN, NORMALIZE), graph_files=GRAPHS)
    folder = model.save(tmp_path_factory.mktemp("packable") / "tiny")
    for name, text in {"README.md": CARD, "LICENSE": "do", "onnx/model.onnx_data": "x", "vocab.txt": "a"}.items():
        (folder / name).write_text(text)
    graphs = [graph_entry(GRAPHS[0], "onnx"), graph_entry(GRAPHS[1], "onnx", "int8", 0.99)]
    write_record(folder, graphs, source={"name": "acme/tiny", "revision": COMMIT})
    return folder


@pytest.fixture
def copied(packable: Path, tmp_path: Path) -> Path:
    """One's own copy of it."""
    return shutil.copytree(packable, tmp_path / "copied")


def pip_install(package: Path, site: Path, *options: str) -> Path:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", *options]
    subprocess.run([*command, "--target", str(site), str(package)], check=True)
    return site


def load_by_name(name: str, site: Path, out: Path) -> "tuple[NDArray[np.float32], str]":
    """The vectors of TEXTS from a process that has ``site`` and no way to the Hub, and what it printed."""
    paths = os.pathsep.join([str(site), *sys.path])
    offline = {"PYTHONPATH": paths, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(out)}
    command = [sys.executable, "-c", ENCODE, name, *TEXTS, f"{out}.npy"]
    child = subprocess.run(command, env=os.environ | offline, cwd=site, check=True, capture_output=True, text=True)
    return np.load(f"{out}.npy"), child.stdout.strip()


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("name", ["minilm", "acme/minilm"])
def test_wheel_of_an_export_is_found_by_name_without_a_network(
    small_report: ExportReport, tmp_path: Path, name: str
) -> None:
    wheel = pack_wheel(small_report.path, tmp_path / "wheels", name="acme/minilm")
    site = pip_install(wheel, tmp_path / "site")

    vectors, printed = load_by_name(name, site, tmp_path / "out")

    assert printed == f"{site / 'edge_st_model_minilm' / 'model'} False"
    np.testing.assert_array_equal(vectors, SentenceTransformer(small_report.path).encode(TEXTS))
    record = read_record(site / "edge_st_model_minilm" / "model")
    assert record is not None
    record.check_files(record.files)


def test_project_is_installed_by_pip(small_report: ExportReport, tmp_path: Path) -> None:
    project = pack_project(small_report.path, tmp_path / "models" / "minilm", name="minilm")
    site = pip_install(project, tmp_path / "site", "--no-build-isolation")

    vectors, printed = load_by_name("minilm", site, tmp_path / "out")

    assert printed.endswith("edge_st_model_minilm/model False")
    np.testing.assert_array_equal(vectors, SentenceTransformer(small_report.path).encode(TEXTS))


def test_static_model_needs_no_record(tmp_path: Path) -> None:
    site = pip_install(pack_wheel(SentenceTransformer().info()["path"], tmp_path, version="2"), tmp_path / "site")

    vectors, _ = load_by_name("static-all-MiniLM-L6-v2", site, tmp_path / "out")

    np.testing.assert_array_equal(vectors, SentenceTransformer().encode(TEXTS))


def test_same_folder_gives_the_same_bytes(packable: Path, copied: Path, tmp_path: Path) -> None:
    first = pack_wheel(packable, tmp_path / "first").read_bytes()
    for path in copied.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700)
    mask = os.umask(0o077)
    try:
        second = pack_wheel(copied, tmp_path / "second")
    finally:
        os.umask(mask)

    assert second.read_bytes() == first
    assert [path.name for path in (tmp_path / "second").iterdir()] == [second.name]


def test_metadata_says_what_it_is_and_where_from(packable: Path, tmp_path: Path) -> None:
    wheel = pack_wheel(packable, tmp_path, version="1.2")
    assert wheel.name == "edge_st_model_tiny-1.2-py3-none-any.whl"
    files = members(wheel)
    info = "edge_st_model_tiny-1.2.dist-info"
    metadata = message_from_bytes(files[f"{info}/METADATA"])
    assert (metadata["Name"], metadata["Version"], metadata["License-Expression"]) == (
        "edge-st-model-tiny",
        "1.2",
        "MIT",
    )
    assert metadata["Requires-Dist"] is None
    description = str(metadata.get_payload())
    for words in (
        "sentence-embedding",
        "`acme/tiny`",
        COMMIT,
        "| `onnx/model_qint8_avx2.onnx` | onnx | int8 | 0.990000 |",
    ):
        assert words in description
    assert files[f"{info}/licenses/LICENSE"] == b"do"
    assert files[f"{info}/entry_points.txt"].decode().split("\n")[:3] == [
        "[edge_st.models]",
        "acme/tiny = edge_st_model_tiny",
        "tiny = edge_st_model_tiny",
    ]


def test_what_is_needed_is_packed(packable: Path, tmp_path: Path) -> None:
    project = pack_project(packable, tmp_path / "all")
    assert contents(project / "edge_st_model_tiny/model") == contents(packable) - {"vocab.txt"}


def test_every_route_of_a_router_is_packed(zoo: Zoo, tmp_path: Path) -> None:
    folder = zoo.exported("router-of-two").path
    project = pack_project(folder, tmp_path / "project", name="two")

    packed, exported = (SentenceTransformer(path) for path in (project / "edge_st_model_two" / "model", folder))

    for task in ("query", "doc"):
        np.testing.assert_array_equal(packed.encode(TEXTS, task=task), exported.encode(TEXTS, task=task))


@pytest.mark.parametrize(
    ("graph", "others"), [(GRAPHS[0], {GRAPHS[1]}), (GRAPHS[1], {GRAPHS[0], "onnx/model.onnx_data"})]
)
def test_graph_is_picked_with_its_weights_and_the_record_follows(
    packable: Path, tmp_path: Path, graph: str, others: set[str]
) -> None:
    model = pack_project(packable, tmp_path / "one", graphs=[graph]) / "edge_st_model_tiny" / "model"

    assert contents(model) == contents(packable) - {"vocab.txt", *others}
    record = read_record(model)
    assert record is not None
    assert record.files.keys() == contents(model) - {"edge_st.json"}
    assert [entry.file for entry in record.graphs] == [graph]
    record.check_files(record.files)


def test_papers_may_come_after_the_export(copied: Path, tmp_path: Path) -> None:
    (copied / "README.md").write_text("# Without a licence")
    (copied / "NOTICE.txt").write_text("of mine")

    project = pack_project(copied, tmp_path / "out")

    record = read_record(project / "edge_st_model_tiny" / "model")
    assert record is not None
    record.check_files(["README.md", "NOTICE.txt"])
    assert 'license-files = ["LICENSE", "NOTICE.txt"]' in (project / "pyproject.toml").read_text()
    assert "licence: not stated" in (project / "README.md").read_text()


def without_record(folder: Path) -> None:
    (folder / "edge_st.json").unlink()


def without_data(folder: Path) -> None:
    (folder / "onnx/model.onnx").unlink()


def with_another_graph(folder: Path) -> None:
    (folder / "onnx/model.onnx").write_bytes(b"another")


def with_another_config(folder: Path) -> None:
    (folder / "config_mine.json").write_text("{}")


def with_a_broken_card(folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: [mit\n---\n")


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (without_record, {}, MissingFileError, r"has no edge_st\.json.*edge-st export MODEL FOLDER"),
        (without_data, {}, MissingFileError, r"onnx/model\.onnx"),
        (with_another_graph, {}, DamagedFileError, r"onnx/model\.onnx has 7 bytes"),
        (with_another_config, {}, OptionError, r"has config_mine\.json, which edge_st\.json does not list"),
        (with_a_broken_card, {}, DamagedFileError, r"README\.md cannot be read, so its licence is not known"),
        (None, {"name": "my model"}, OptionError, "the model's name is 'my model'"),
        (None, {"version": "new"}, OptionError, "the version is 'new'; expected one as pip reads it"),
        (None, {"graphs": ["onnx/model_O3.onnx"]}, OptionError, r"it has onnx/model\.onnx, onnx/model_qint8"),
    ],
)
def test_what_cannot_be_packed_leaves_nothing(
    copied: Path, tmp_path: Path, change: Any, options: dict[str, Any], error: type[EdgeSTError], message: str
) -> None:
    if change is not None:
        change(copied)
    with pytest.raises(error, match=message):
        pack_project(copied, tmp_path / "project", **options)
    with pytest.raises(error, match=message):
        pack_wheel(copied, tmp_path, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["copied"]


def test_places_that_are_taken(packable: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(OptionError, match="full exists; choose another folder, or remove it first"):
        pack_project(packable, tmp_path / "full")
    with pytest.raises(NotAFolderError, match="file is a file; expected the folder for the wheel"):
        pack_wheel(packable, tmp_path / "full" / "file")
    with pytest.raises(NotAFolderError, match="no folder; expected one that edge-st export wrote"):
        pack_wheel(tmp_path / "nothing", tmp_path)


def test_commands(packable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_pack(parser.add_subparsers())

    def run(*argv: str) -> str:
        args = parser.parse_args(["pack", *argv])
        assert args.run(args) == 0
        return capsys.readouterr().out

    options = ("--name", "mine", "--version", "3", "--graph", GRAPHS[0], "--graph", GRAPHS[1])
    wheel = tmp_path / "edge_st_model_mine-3-py3-none-any.whl"
    assert f"next: pip install {wheel}" in run("wheel", str(packable), "-o", str(tmp_path), *options)
    assert f"next: pip install {tmp_path / 'p'}" in run("project", str(packable), str(tmp_path / "p"), *options)
    packed, prefix = members(wheel), "edge_st_model_mine/"
    assert {name.removeprefix(prefix) for name in packed if name.startswith(prefix)} == contents(
        tmp_path / "p" / prefix
    )
    assert len(json.loads(packed[f"{prefix}model/edge_st.json"])["graphs"]) == 2
