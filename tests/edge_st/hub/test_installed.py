"""Models that installed distributions bring: found by name, before the Hub and after a local folder."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_st import CrossEncoder, SentenceTransformer, SparseEncoder
from edge_st.cli import main
from edge_st.hub.installed import find_installed
from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import DamagedFileError, FolderError, HubError, MissingFileError
from tests.support.hub_models import NAME, contents, python, static_model
from tests.support.hub_server import HubServer
from tests.support.installed_models import install, install_model
from tests.support.tiny_models import write_record

COMMIT = "a" * 40


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder on the import path."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.mark.parametrize("name", ["tiny", NAME])
def test_installed_model_is_loaded_without_a_request_or_an_import(
    hub: HubServer, site: Path, tiny_folder: Path, name: str
) -> None:
    copy = install_model(site, tiny_folder, "tiny", NAME)
    hub.add(NAME, static_model())

    model = SentenceTransformer(name, backend="onnx", dtype="float32")

    assert model.info()["path"] == str(copy)
    expected = SentenceTransformer(tiny_folder, backend="onnx", dtype="float32").encode(["a good day"])
    np.testing.assert_array_equal(model.encode(["a good day"]), expected)
    assert resolve(name, local_files_only=True) == copy
    assert "tiny_model" not in sys.modules
    assert not hub.log


def test_every_class_finds_its_models(
    hub: HubServer, site: Path, cross_encoder_folders: dict[int, Path], sparse_folder: Path
) -> None:
    pairs = install_model(site, cross_encoder_folders[1], "pairs", package="pairs_model")
    sparse = install_model(site, sparse_folder, "sparse", package="sparse_model")

    assert CrossEncoder("pairs", backend="onnx").info()["path"] == str(pairs)
    assert SparseEncoder("sparse", backend="onnx").info()["path"] == str(sparse)
    assert not hub.log


def test_local_folder_comes_first(site: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_model(site, tiny_folder, "tiny")
    monkeypatch.chdir(tiny_folder.parent)

    assert resolve("tiny") == Path("tiny")


def test_other_names_go_to_the_hub(hub: HubServer, site: Path, tiny_folder: Path) -> None:
    install_model(site, tiny_folder, "tiny", "acme/tiny")
    hub.add(NAME, static_model())

    assert "model.safetensors" in contents(resolve(NAME))
    with pytest.raises(HubError, match="sentence-transformers/Tiny"):
        resolve("Tiny")


def test_installed_model_is_of_one_revision(hub: HubServer, site: Path, tiny_folder: Path) -> None:
    copy = install_model(site, tiny_folder, "tiny")
    write_record(copy, source={"name": NAME, "revision": COMMIT})
    hub.add(NAME, static_model()).revisions = {"main", "v2"}

    assert resolve("tiny", revision=COMMIT) == copy
    assert not hub.log
    assert "model.safetensors" in contents(resolve("tiny", revision="v2"))
    assert "model.safetensors" in contents(resolve("tiny", revision="main"))


def test_without_a_recorded_revision_it_is_of_none_that_is_asked_for(site: Path, tiny_folder: Path) -> None:
    install_model(site, tiny_folder, "tiny")

    assert find_installed("tiny", "main") is None


def test_record_that_cannot_be_read_is_named(site: Path, tiny_folder: Path) -> None:
    copy = install_model(site, tiny_folder, "tiny")
    (copy / "edge_st.json").write_text(json.dumps({"source": "the Hub"}))

    with pytest.raises(DamagedFileError, match=r"edge_st\.json"):
        resolve("tiny", revision="main")


def test_folder_that_is_gone_is_not_replaced_by_the_hub(hub: HubServer, site: Path, tiny_folder: Path) -> None:
    copy = install_model(site, tiny_folder, "tiny")
    hub.add(NAME, static_model())
    shutil.rmtree(copy)

    with pytest.raises(
        MissingFileError, match=r"tiny-model 1.0 is installed as the model 'tiny', but .*model is no fol"
    ):
        resolve("tiny")
    shutil.rmtree(site / "tiny_model")
    with pytest.raises(
        MissingFileError, match=r"package tiny_model is not there; pip install --force-reinstall .*tiny"
    ):
        resolve("tiny")
    assert not hub.log


@pytest.mark.parametrize("value", ["tiny_model.inner", "tiny_model:folder", "../tiny_model"])
def test_entry_point_must_name_a_package(site: Path, tiny_folder: Path, value: str) -> None:
    install_model(site, tiny_folder, "tiny")
    install(site, {"odd": value}, distribution="odd-model")

    with pytest.raises(DamagedFileError, match=r"expected a top-level package.*pip uninstall odd-model"):
        resolve("odd")
    assert "tiny_model" not in sys.modules


def test_name_of_two_distributions_is_refused(hub: HubServer, site: Path, tiny_folder: Path) -> None:
    install_model(site, tiny_folder, "tiny", "one/tiny", package="one_model")
    install_model(site, tiny_folder, "tiny", "two/tiny", package="two_model")

    with pytest.raises(FolderError, match=r"'tiny' is in the packages .*one-model 1\.0.*pip uninstall (one|two)-model"):
        resolve("tiny")
    assert resolve("two/tiny") == site / "two_model" / "model"
    assert not hub.log


def test_nothing_is_scanned_for_a_folder(tmp_path: Path) -> None:
    code = f"""
import sys
from edge_st import SentenceTransformer
SentenceTransformer()
from edge_st.hub.resolve import resolve
resolve({str(tmp_path)!r})
print("importlib.metadata" in sys.modules)
"""
    output, complaints = python(code).communicate()

    assert output.split() == ["False"], complaints


# The commands


def test_list_and_doctor_show_what_is_installed(
    site: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = install_model(site, tiny_folder, "tiny", NAME)
    install(site, {"gone": "gone_model"}, distribution="gone-model")

    assert main(["list", "--installed"]) == 0
    header, *rows = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines()]
    assert header == ["name", "distribution", "version", "folder"]
    assert [row for row in rows if row[1] == "tiny-model"] == [
        [name, "tiny-model", "1.0", str(copy)] for name in (NAME, "tiny")
    ]
    (gone,) = [row for row in rows if row[1] == "gone-model"]
    assert "package gone_model is not there" in gone[3]
    assert main(["list", "--installed", "--json"]) == 0
    found = {model["name"]: model for model in json.loads(capsys.readouterr().out)}
    assert found["tiny"]["folder"] == str(copy)
    assert found["gone"]["error"] == gone[3]
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"tiny-model 1.0 ({NAME} or tiny)" in out
    assert "gone-model 1.0 (gone)" in out
    assert "warning: the installed model gone: gone-model 1.0 is installed as" in out
    assert "fix: pip install --force-reinstall --no-deps gone-model" in out


def test_verify_takes_an_installed_models_name(
    site: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = install_model(site, tiny_folder, "tiny")
    write_record(copy)
    (copy / "tokenizer.json").write_text("{}")

    assert main(["verify", "tiny"]) == 1
    assert f"{copy / 'tokenizer.json'} has 2 bytes" in capsys.readouterr().err
    assert main(["verify", "other"]) == 1
    assert "there is no folder 'other' in" in capsys.readouterr().err


def test_doctor_names_a_damaged_package_once(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, {"gone": "gone_model", "owner/gone": "gone_model"}, distribution="gone-model")

    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "gone-model 1.0 (gone or owner/gone)" in out
    assert out.count("package gone_model is not there") == 1


def test_doctor_sees_a_clash(site: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install_model(site, tiny_folder, "tiny", package="one_model")
    install_model(site, tiny_folder, "tiny", package="two_model")

    assert main(["doctor", "--json"]) == 0
    (advice,) = [found for found in json.loads(capsys.readouterr().out)["advice"] if "tiny" in found["message"]]
    assert "one-model 1.0 and two-model 1.0 both bring it" in advice["message"]
    assert advice["fix"] == "pip uninstall -y two-model"


def test_list_of_what_is_installed_takes_no_conditions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--installed", "--language", "de"]) == 1
    assert "--installed takes no conditions" in capsys.readouterr().err


def test_list_says_when_nothing_is_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["list", "--installed"])  # imports what it needs
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    capsys.readouterr()
    assert main(["list", "--installed"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no model is installed" in captured.err
